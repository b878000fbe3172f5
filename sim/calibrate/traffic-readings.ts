import type { FlowResult, FlowSpec } from '../../bench/load/flow-spec.ts'
import { median } from '../../bench/report/statistics.ts'
import { pairs } from '../../bench/scenarios/flow-scenario.ts'
import { repeated, sized, type Lab } from './lab.ts'
import { withPair, type Pair } from './node-pair.ts'
import type { Reading } from './reading.ts'
import { lineThrough } from './regression.ts'

/** Each flow is driven so often in a run. */
const WINDOWS = 3
/** Messages a second of clients that each publish rarely; many more, and what comes while a node works is handled together. */
const SLOW_RATE = 3000
const SLOW_PAIRS = 400
/** Of one publisher to many subscribers: each delivery is a write of its own. */
const SLOW_FAN_OUT_RATES = [20, 60] as const
const SLOW_FAN_OUT = 400
/** Subscribers of one topic, by which deliveries in bulk are told from publishes. */
const FAN_OUTS = [20, 200] as const
/** What a publish, a delivery and a forward cost the nodes that have them. */
export async function readTraffic(lab: Lab): Promise<Reading[]> {
  const runs = await repeated(lab, async round => {
    lab.progress(`publishes, deliveries and forwards, run ${round + 1} of ${lab.repetitions}`)
    return await withPair(lab, 'all', async pair => ({
      bulk: await inBulk(pair),
      alone: await alone(lab, pair),
    }))
  })
  const bulk = '256 B at QoS 0, windows full'
  const publishers = `256 B at QoS 0 by ${sized(lab, SLOW_PAIRS)} publishers, ${SLOW_RATE} messages/s`
  const readings = (
    suffix: '' | 'Alone',
    costs: readonly Costs[],
    how: Record<keyof Costs, string>,
  ): Reading[] => [
    { name: `node.cpuUsPerPublish${suffix}`, runs: costs.map(cost => cost.publish), how: how.publish },
    { name: `node.cpuUsPerDelivery${suffix}`, runs: costs.map(cost => cost.delivery), how: how.delivery },
    { name: `node.cpuUsPerForwardOut${suffix}`, runs: costs.map(cost => cost.out), how: how.out },
    { name: `node.cpuUsPerForwardIn${suffix}`, runs: costs.map(cost => cost.into), how: how.into },
  ]
  return [
    ...readings(
      '',
      runs.map(run => run.bulk),
      {
        publish: `10 publishers, ${bulk}, nobody subscribed`,
        delivery: `1 publisher to ${FAN_OUTS.join(' and ')} subscribers, ${bulk}, by regression`,
        out: `10 publishers at one node, 10 subscribers at another, ${bulk}, less a publish`,
        into: 'the same, less a delivery',
      },
    ),
    ...readings(
      'Alone',
      runs.map(run => run.alone),
      {
        publish: `${publishers}, nobody subscribed, what a node does besides included`,
        delivery: `1 publisher to ${sized(lab, SLOW_FAN_OUT)} subscribers, ${SLOW_FAN_OUT_RATES.join(' and ')} messages/s, by regression`,
        out: `${publishers}, each to a subscriber of its own at another node, less a publish alone`,
        into: 'the same, less a delivery alone',
      },
    ),
  ]
}

/** µs of CPU. */
interface Costs {
  readonly publish: number
  readonly delivery: number
  readonly out: number
  readonly into: number
}

/** Several windows of a flow, of which medians are taken: one alone may be off by a third. */
export async function windows({ flow }: Pair, ...of: Parameters<Pair['flow']>): Promise<FlowResult[]> {
  const results: FlowResult[] = []
  for (let i = 0; i < WINDOWS; i++) results.push(await flow(...of))
  return results
}

async function inBulk(pair: Pair): Promise<Costs> {
  // Code that runs for the first time is no part of it.
  await pair.flow(pairs, 'second')
  const fanOut: [copies: number, cpuUs: number][] = []
  for (const subscribers of FAN_OUTS) {
    const spec: FlowSpec = { ...pairs, shape: 'fan-out', publishers: 1, subscribers, window: 256 }
    fanOut.push([subscribers, median((await windows(pair, spec, 'first')).map(perPublish))])
  }
  return await costsOf(pair, pairs, lineThrough(fanOut).slope)
}

/** Clients in a fleet publish rarely, and what they say does not come together. */
async function alone(lab: Lab, pair: Pair): Promise<Costs> {
  const clients = sized(lab, SLOW_PAIRS)
  const spec: FlowSpec = { ...pairs, publishers: clients, subscribers: clients, ratePerSecond: SLOW_RATE }
  pair.leaveLoad()
  // What the bulk before left behind (heap to give back, code still unoptimised for this) is no part of it either.
  await pair.flow(spec, 'first')
  await pair.flow(spec, 'second')
  const fanOut: [deliveries: number, cpuUs: number][] = []
  for (const ratePerSecond of SLOW_FAN_OUT_RATES) {
    const subscribers = sized(lab, SLOW_FAN_OUT)
    const one: FlowSpec = { ...pairs, shape: 'fan-out', publishers: 1, subscribers, ratePerSecond }
    for (const { deliveredPerSecond, brokerCores } of await windows(pair, one, 'first'))
      fanOut.push([deliveredPerSecond, 1e6 * brokerCores])
  }
  return await costsOf(pair, spec, lineThrough(fanOut).slope)
}

/** Of a flow from one node to the other, when one delivery costs so much. */
async function costsOf(pair: Pair, spec: FlowSpec, delivery: number): Promise<Costs> {
  // What nobody is to get is no more than published.
  const unheard = await windows(pair, { ...spec, shape: 'fan-out', subscribers: 0 }, 'first')
  const publish = median(unheard.map(perPublish))
  const forwarded = await windows(pair, spec, 'second')
  return {
    publish,
    delivery,
    out: median(forwarded.map(perPublish)) - publish,
    into: median(forwarded.map(perDelivery)) - delivery,
  }
}

/** µs of CPU of the publishers' node for one message. */
function perPublish({ brokerCores, publishedPerSecond }: FlowResult): number {
  return (1e6 * brokerCores) / publishedPerSecond
}

/** µs of CPU of the subscribers' node for one message. */
function perDelivery({ subscriberBrokerCores, deliveredPerSecond }: FlowResult): number {
  return (1e6 * (subscriberBrokerCores ?? Number.NaN)) / deliveredPerSecond
}
