import type { Measurement, RunContext, Scenario } from '../scenarios/scenario.ts'
import { RequestWorker } from '../request-worker.ts'
import type { TransportAnswer, TransportRequest } from './transport-protocol.ts'

const payloadBytes = 256

type TransportWorker = RequestWorker<TransportRequest, TransportAnswer>

interface Rate {
  perSecond: number
  senderCores: number
  receiverCores: number
  cpuSeconds: number
}

/** Two fresh processes, the sender on the brokers' core and the receiver on the other. */
async function rateOf({ cores, timing, signal }: RunContext, codec: boolean): Promise<Rate> {
  const start = (nodeId: string, core: number | null): TransportWorker =>
    new RequestWorker({
      ...{ importer: import.meta.url, script: './transport-process', args: [nodeId] },
      ...{ core, signal },
    })
  const sender = start('sender', cores?.broker ?? null)
  const receiver = start('receiver', cores?.load ?? null)
  try {
    const [from, to] = await Promise.all([addressOf(sender), addressOf(receiver)])
    await Promise.all([
      sender.request({ kind: 'link', peer: to }),
      receiver.request({ kind: 'link', peer: from }),
    ])
    await receiver.request({ kind: 'receive', codec })
    await sender.request({ kind: 'send', to: to.nodeId, payloadBytes, codec })
    await pause(timing.warmupMs)
    const before = await Promise.all([countOf(sender), countOf(receiver)])
    await pause(timing.measureMs)
    const after = await Promise.all([countOf(sender), countOf(receiver)])
    const seconds = (after[1].atMs - before[1].atMs) / 1000
    return {
      perSecond: (after[1].frames - before[1].frames) / seconds,
      senderCores: (after[0].cpuSeconds - before[0].cpuSeconds) / seconds,
      receiverCores: (after[1].cpuSeconds - before[1].cpuSeconds) / seconds,
      cpuSeconds: after[0].cpuSeconds + after[1].cpuSeconds,
    }
  } finally {
    await Promise.all([sender.stop(), receiver.stop()])
  }
}

async function addressOf(worker: TransportWorker) {
  const { address } = await worker.request({ kind: 'address' })
  if (address === undefined) throw new Error('a transport process has no address')
  return address
}

async function countOf(worker: TransportWorker) {
  const { count } = await worker.request({ kind: 'count' })
  if (count === undefined) throw new Error('a transport process did not count')
  return count
}

async function pause(ms: number): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, ms))
}

async function measure(context: RunContext): Promise<Measurement> {
  const bare = await rateOf(context, false)
  const coded = await rateOf(context, true)
  return {
    metrics: {
      framesPerSecond: coded.perSecond,
      framesWithoutCodec: bare.perSecond,
      senderCores: coded.senderCores,
      receiverCores: coded.receiverCores,
    },
    cpuSeconds: coded.cpuSeconds + bare.cpuSeconds,
  }
}

/** The ceiling of forwarding: what the encrypted link and the codec alone can do. */
export const transportScenario: Scenario = {
  id: 'mesh-transport',
  group: 'mesh',
  title: 'The link between nodes itself',
  description: `Publications of ${payloadBytes} B encoded in one process, sent over the mesh's libp2p streams and decoded in another; without clients, routing or MQTT; a core each`,
  metrics: [
    { key: 'framesPerSecond', title: 'frames', unit: '/s', better: 'higher' },
    { key: 'framesWithoutCodec', title: 'without the codec', unit: '/s', better: 'higher' },
    { key: 'senderCores', title: 'sender', unit: 'cores' },
    { key: 'receiverCores', title: 'receiver', unit: 'cores' },
  ],
  against: 'own',
  contestant: 'two processes',
  measure,
}
