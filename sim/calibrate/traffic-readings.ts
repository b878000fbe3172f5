import type { FlowResult, FlowSpec } from '../../bench/load/flow-spec.ts'
import { pairs } from '../../bench/scenarios/flow-scenario.ts'
import { repeated, sized, type Lab } from './lab.ts'
import { withPair, type Pair } from './node-pair.ts'
import type { Reading } from './reading.ts'
import { lineThrough } from './regression.ts'

/** Messages a second of clients that each publish rarely; more, and forwards leave together. */
const SLOW_RATES = [100, 1500] as const
/** Each rate is driven so often: what a process does besides would weigh too much in one window. */
const SLOW_ROUNDS = 3
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
  const publishers = `256 B at QoS 0 by ${sized(lab, SLOW_PAIRS)} publishers, ${SLOW_RATES.join(' and ')} messages/s, by regression`
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
        publish: `${publishers}, nobody subscribed`,
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

async function inBulk({ flow }: Pair): Promise<Costs> {
  // Code that runs for the first time is no part of it.
  await flow(pairs, 'second')
  const fanOut: [copies: number, cpuUs: number][] = []
  for (const subscribers of FAN_OUTS) {
    const spec: FlowSpec = { ...pairs, shape: 'fan-out', publishers: 1, subscribers, window: 256 }
    fanOut.push([subscribers, cpuPerPublish(await flow(spec, 'first'))])
  }
  const delivery = lineThrough(fanOut).slope
  // What nobody is to get is no more than published.
  const publish = cpuPerPublish(await flow({ ...pairs, shape: 'fan-out', subscribers: 0 }, 'first'))
  const forwarded = await flow(pairs, 'second')
  return {
    publish,
    delivery,
    out: cpuPerPublish(forwarded) - publish,
    into: (1e6 * (forwarded.subscriberBrokerCores ?? Number.NaN)) / forwarded.deliveredPerSecond - delivery,
  }
}

/** Clients in a fleet publish rarely, and what they say does not come together. */
async function alone(lab: Lab, { flow }: Pair): Promise<Costs> {
  const clients = sized(lab, SLOW_PAIRS)
  // What the bulk before left behind (heap to give back, code still unoptimised for this) is no part of it either.
  const warmUp: FlowSpec = {
    ...pairs,
    publishers: clients,
    subscribers: clients,
    ratePerSecond: SLOW_RATES[1],
  }
  await flow(warmUp, 'first')
  await flow(warmUp, 'second')
  const publishes: [messages: number, cpuUs: number][] = []
  const ingress: [messages: number, cpuUs: number][] = []
  const receiver: [messages: number, cpuUs: number][] = []
  const fanOut: [deliveries: number, cpuUs: number][] = []
  for (let round = 0; round < SLOW_ROUNDS; round++) {
    for (const ratePerSecond of SLOW_RATES) {
      const spec: FlowSpec = { ...warmUp, ratePerSecond }
      const here = await flow({ ...spec, shape: 'fan-out', subscribers: 0 }, 'first')
      publishes.push([here.publishedPerSecond, 1e6 * here.brokerCores])
      const there = await flow(spec, 'second')
      ingress.push([there.publishedPerSecond, 1e6 * there.brokerCores])
      receiver.push([there.deliveredPerSecond, 1e6 * (there.subscriberBrokerCores ?? Number.NaN)])
    }
    for (const ratePerSecond of SLOW_FAN_OUT_RATES) {
      const subscribers = sized(lab, SLOW_FAN_OUT)
      const spec: FlowSpec = { ...pairs, shape: 'fan-out', publishers: 1, subscribers, ratePerSecond }
      const { deliveredPerSecond, brokerCores } = await flow(spec, 'first')
      fanOut.push([deliveredPerSecond, 1e6 * brokerCores])
    }
  }
  const publish = lineThrough(publishes).slope
  const delivery = lineThrough(fanOut).slope
  return {
    publish,
    delivery,
    out: lineThrough(ingress).slope - publish,
    into: lineThrough(receiver).slope - delivery,
  }
}

/** µs of CPU of the publishers' node for one message. */
function cpuPerPublish({ brokerCores, publishedPerSecond }: FlowResult): number {
  return (1e6 * brokerCores) / publishedPerSecond
}
