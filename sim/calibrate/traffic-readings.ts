import type { FlowResult, FlowSpec } from '../../bench/load/flow-spec.ts'
import { pairs } from '../../bench/scenarios/flow-scenario.ts'
import { repeated, sized, type Lab } from './lab.ts'
import { withPair, type Pair } from './node-pair.ts'
import type { Reading } from './reading.ts'
import { lineThrough } from './regression.ts'

/** Subscribers of one topic, by which deliveries are told from publishes. */
const FAN_OUTS = [20, 200] as const
/** Messages a second of clients that each publish rarely. */
const SLOW_RATES = [100, 4000] as const
const SLOW_PAIRS = 400
/** Of one publisher to many subscribers: each delivery is a write of its own. */
const SLOW_FAN_OUT_RATES = [20, 60] as const
const SLOW_FAN_OUT = 400

/** What a publish, a delivery and a forward cost the nodes that have them. */
export async function readTraffic(lab: Lab): Promise<Reading[]> {
  const runs = await repeated(lab, async round => {
    lab.progress(`publishes, deliveries and forwards, run ${round + 1} of ${lab.repetitions}`)
    return await withPair(lab, 'all', async pair => ({
      ...(await inBulk(pair)),
      ...(await alone(lab, pair)),
    }))
  })
  const bulk = '256 B at QoS 0, windows full'
  const slow = `${sized(lab, SLOW_PAIRS)} publishers to as many subscribers, ${SLOW_RATES.join(' and ')} messages/s, by regression`
  return [
    {
      name: 'node.cpuUsPerPublish',
      runs: runs.map(({ publish }) => publish),
      how: `10 publishers to 10 subscribers, ${bulk}, less a delivery`,
    },
    {
      name: 'node.cpuUsPerDelivery',
      runs: runs.map(({ delivery }) => delivery),
      how: `1 publisher to ${FAN_OUTS.join(' and ')} subscribers, ${bulk}, by regression`,
    },
    {
      name: 'node.cpuUsPerForwardOut',
      runs: runs.map(({ out }) => out),
      how: `10 publishers at one node, 10 subscribers at another, ${bulk}, less a publish`,
    },
    { name: 'node.cpuUsPerForwardIn', runs: runs.map(({ into }) => into), how: 'the same, less a delivery' },
    {
      name: 'node.cpuUsPerPublishAlone',
      runs: runs.map(({ publishAlone }) => publishAlone),
      how: `${slow}, less a delivery alone`,
    },
    {
      name: 'node.cpuUsPerDeliveryAlone',
      runs: runs.map(({ deliveryAlone }) => deliveryAlone),
      how: `1 publisher to ${sized(lab, SLOW_FAN_OUT)} subscribers, ${SLOW_FAN_OUT_RATES.join(' and ')} messages/s, by regression`,
    },
    {
      name: 'node.cpuUsPerForwardOutAlone',
      runs: runs.map(({ outAlone }) => outAlone),
      how: `${slow}, who are at another node, less a publish alone`,
    },
    {
      name: 'node.cpuUsPerForwardInAlone',
      runs: runs.map(({ intoAlone }) => intoAlone),
      how: 'the same, less a delivery alone',
    },
  ]
}

async function inBulk({ flow }: Pair) {
  const perMessage = async (spec: FlowSpec): Promise<number> => cpuPerPublish(await flow(spec, 'first'))
  await flow(pairs, 'second')
  const fanOut: [copies: number, cpuUs: number][] = []
  for (const subscribers of FAN_OUTS) {
    const spec: FlowSpec = { ...pairs, shape: 'fan-out', publishers: 1, subscribers, window: 256 }
    fanOut.push([subscribers, await perMessage(spec)])
  }
  const delivery = lineThrough(fanOut).slope
  const local = await perMessage(pairs)
  const publish = local - delivery
  const forwarded = await flow(pairs, 'second')
  const perSecond = forwarded.deliveredPerSecond
  return {
    publish,
    delivery,
    out: cpuPerPublish(forwarded) - publish,
    into: (1e6 * (forwarded.subscriberBrokerCores ?? Number.NaN)) / perSecond - delivery,
  }
}

/** Clients in a fleet publish rarely, and what they say does not come together. */
async function alone(lab: Lab, { flow }: Pair) {
  const clients = sized(lab, SLOW_PAIRS)
  const copies = sized(lab, SLOW_FAN_OUT)
  const fanOut: [deliveries: number, cpuUs: number][] = []
  for (const ratePerSecond of SLOW_FAN_OUT_RATES) {
    const spec: FlowSpec = { ...pairs, shape: 'fan-out', publishers: 1, subscribers: copies, ratePerSecond }
    const result = await flow(spec, 'first')
    fanOut.push([result.deliveredPerSecond, 1e6 * result.brokerCores])
  }
  const deliveryAlone = lineThrough(fanOut).slope
  const local: [messages: number, cpuUs: number][] = []
  const ingress: [messages: number, cpuUs: number][] = []
  const receiver: [messages: number, cpuUs: number][] = []
  for (const ratePerSecond of SLOW_RATES) {
    const spec: FlowSpec = { ...pairs, publishers: clients, subscribers: clients, ratePerSecond }
    const here = await flow(spec, 'first')
    local.push([here.publishedPerSecond, 1e6 * here.brokerCores])
    const there = await flow(spec, 'second')
    ingress.push([there.publishedPerSecond, 1e6 * there.brokerCores])
    receiver.push([there.deliveredPerSecond, 1e6 * (there.subscriberBrokerCores ?? Number.NaN)])
  }
  const publishAlone = lineThrough(local).slope - deliveryAlone
  return {
    deliveryAlone,
    publishAlone,
    outAlone: lineThrough(ingress).slope - publishAlone,
    intoAlone: lineThrough(receiver).slope - deliveryAlone,
  }
}

/** µs of CPU of the publishers' node for one message. */
function cpuPerPublish({ brokerCores, publishedPerSecond }: FlowResult): number {
  return (1e6 * brokerCores) / publishedPerSecond
}
