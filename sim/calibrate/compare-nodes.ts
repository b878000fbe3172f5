import { connectMany } from '../../bench/load/connect-many.ts'
import type { FlowSpec } from '../../bench/load/flow-spec.ts'
import { median } from '../../bench/report/statistics.ts'
import { pairs } from '../../bench/scenarios/flow-scenario.ts'
import { quietRss } from '../../bench/scenarios/idle-memory-scenario.ts'
import type { ConstantName, Constants } from '../constants/constants.ts'
import { clientsOf, subscribeOnce } from './client-readings.ts'
import type { Comparison } from './comparison.ts'
import { repeated, sized, type Lab } from './lab.ts'
import { withPair } from './node-pair.ts'

const BULK: FlowSpec = { ...pairs, publishers: 4, subscribers: 4 }
const SLOW_CLIENTS = 250
const SLOW_RATE = 5000
/** More than the constants were measured with. */
const CLIENTS = 9000

const COST = { better: 0.5, worse: 0.5, floor: 0.02 }
/** The heap grows in steps. */
const MEMORY = { better: 0.4, worse: 0.4 }

/** What sums of constants say of two nodes, beside two real ones: forwards in bulk and alone, and the memory of clients. */
export async function compareNodes(lab: Lab, constants: Constants): Promise<Comparison[]> {
  const us = (name: ConstantName): number => constants.values[name].value
  const clients = sized(lab, CLIENTS)
  const slowClients = sized(lab, SLOW_CLIENTS)
  const slow: FlowSpec = {
    ...pairs,
    publishers: slowClients,
    subscribers: slowClients,
    ratePerSecond: SLOW_RATE,
  }
  const rounds = await repeated(lab, async round => {
    lab.progress(`forwards: real nodes beside the model, run ${round + 1} of ${lab.repetitions}`)
    return await withPair(lab, 'all', async ({ flow }) => {
      await flow(BULK, 'second')
      return { bulk: await flow(BULK, 'second'), slow: await flow(slow, 'second') }
    })
  })
  const grown = await repeated(lab, async round => {
    lab.progress(
      `memory of ${clients} clients: a real node beside the model, run ${round + 1} of ${lab.repetitions}`,
    )
    return await withPair(lab, 'local', async ({ nodes: [node] }) => {
      const client = clientsOf(node, { cleanSession: true })
      const early = await connectMany(100, client('early'), subscribeOnce('early'))
      await Promise.all(early.map(connection => connection.close()))
      const before = await quietRss(node)
      const connections = await connectMany(clients, client('many'), subscribeOnce('many'))
      const after = await quietRss(node)
      await Promise.all(connections.map(connection => connection.close()))
      return (after - before) / 1024
    })
  })
  const real = (figure: (round: (typeof rounds)[number]) => number): number => median(rounds.map(figure))
  const rate = real(round => round.slow.publishedPerSecond)
  const bulkUs = us('node.cpuUsPerPublish') + us('node.cpuUsPerForwardOut')
  return [
    {
      ...{ subject: 'forwarding', unit: '/s', tolerance: COST },
      what: '4 publishers to 4 subscribers at another node, windows full: forwards per core of the ingress',
      model: 1e6 / bulkUs,
      real: real(({ bulk }) => bulk.publishedPerSecond / bulk.brokerCores),
    },
    {
      ...{ subject: 'forwarding', unit: 'cores', tolerance: COST },
      what: `${slowClients} publishers to as many at another node, ${SLOW_RATE}/s: cores of the ingress`,
      model: (rate * (us('node.cpuUsPerPublishAlone') + us('node.cpuUsPerForwardOutAlone'))) / 1e6,
      real: real(round => round.slow.brokerCores),
    },
    {
      ...{ subject: 'forwarding', unit: 'cores', tolerance: COST },
      what: 'the same: cores of the receiver',
      model: (rate * (us('node.cpuUsPerForwardInAlone') + us('node.cpuUsPerDeliveryAlone'))) / 1e6,
      real: real(round => round.slow.subscriberBrokerCores ?? Number.NaN),
    },
    {
      ...{ subject: 'memory', unit: 'MiB', tolerance: MEMORY },
      what: `${clients} connected clients with one subscription: growth of the process`,
      model: (clients * us('node.bytesPerIdleClient')) / 2 ** 20,
      real: median(grown),
    },
  ]
}
