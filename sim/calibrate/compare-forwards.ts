import type { FlowResult, FlowSpec } from '../../bench/load/flow-spec.ts'
import { median } from '../../bench/report/statistics.ts'
import { pairs } from '../../bench/scenarios/flow-scenario.ts'
import { settledChunks } from '../capacity/forward-chunks.ts'
import { forwardCosts } from '../capacity/node-load.ts'
import type { ConstantName, Constants } from '../constants/constants.ts'
import type { Comparison, Tolerance } from './comparison.ts'
import { repeated, sized, type Lab } from './lab.ts'
import { withPair } from './node-pair.ts'
import { windows } from './traffic-readings.ts'

const BULK: FlowSpec = { ...pairs, publishers: 4, subscribers: 4 }
const SLOW_CLIENTS = 250
const SLOW_RATE = 5000

/** Windows vary by a fifth, those of the constants as well; who reckons with more than nodes need does not have too few. */
const COST: Tolerance = { better: 0.35, worse: 0.5 }
/** What sums of constants say of two nodes, beside two real ones: forwards in bulk and alone. */
export async function compareForwards(lab: Lab, constants: Constants): Promise<Comparison[]> {
  const clients = sized(lab, SLOW_CLIENTS)
  const slow: FlowSpec = {
    ...{ ...pairs, publishers: clients, subscribers: clients, ratePerSecond: SLOW_RATE },
  }
  const rounds = await repeated(lab, async round => {
    lab.progress(`forwards: real nodes beside the model, run ${round + 1} of ${lab.repetitions}`)
    return await withPair(lab, 'all', async pair => {
      await pair.flow(BULK, 'second')
      const bulk = await windows(pair, BULK, 'second')
      pair.leaveLoad()
      await pair.flow(slow, 'second')
      return { bulk, slow: await windows(pair, slow, 'second') }
    })
  })
  const real = (kind: 'bulk' | 'slow', figure: (result: FlowResult) => number): number =>
    median(rounds.flatMap(round => round[kind].map(figure)))
  const us = (name: ConstantName): number => constants.values[name].value
  const { out, into } = forwardCosts(constants)
  const rate = real('slow', result => result.publishedPerSecond)
  const cores = (perSecond: number, each: number): number => (perSecond * each) / 1e6
  const others =
    cores(1, us('node.cpuUsIdlePerSecond')) + cores(rate, us('node.cpuUsPerPublishAlone') + out.each)
  const chunks = settledChunks({ perSecond: rate, peers: 1, arrivals: rate }, out.chunk, others)
  return [
    {
      ...{ subject: 'forwarding', unit: '/s', tolerance: COST },
      what: '4 publishers to 4 subscribers at another node, windows full: forwards per core of the ingress',
      model: 1e6 / (us('node.cpuUsPerPublish') + out.each),
      real: real('bulk', result => result.publishedPerSecond / result.brokerCores),
    },
    {
      ...{ subject: 'forwarding', unit: 'cores', tolerance: COST },
      what: `${clients} publishers to as many at another node, ${SLOW_RATE}/s: cores of the ingress`,
      model: others + cores(chunks, out.chunk),
      real: real('slow', result => result.brokerCores),
    },
    {
      ...{ subject: 'forwarding', unit: 'cores', tolerance: COST },
      what: 'the same: cores of the receiver',
      model:
        cores(1, us('node.cpuUsIdlePerSecond')) +
        cores(rate, us('node.cpuUsPerDeliveryAlone') + into.each) +
        cores(chunks, into.chunk),
      real: real('slow', result => result.subscriberBrokerCores ?? Number.NaN),
    },
  ]
}
