import type { Measurement, RunContext, Scenario } from '../scenarios/scenario.ts'
import { RequestWorker } from '../request-worker.ts'
import type { TransportAnswer, TransportCodec, TransportRequest } from './transport-protocol.ts'

const payloadBytes = 256

type TransportWorker = RequestWorker<TransportRequest, TransportAnswer>

interface Rate {
  perSecond: number
  senderCores: number
  receiverCores: number
  cpuSeconds: number
}

/** Two fresh processes, the sender on the brokers' core and the receiver on the other. */
async function rateOf({ cores, timing, signal }: RunContext, codec: TransportCodec): Promise<Rate> {
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
      perSecond: (after[1].publications - before[1].publications) / seconds,
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
  const packets = await rateOf(context, 'packets')
  const frames = await rateOf(context, 'frames')
  const bare = await rateOf(context, 'none')
  return {
    metrics: {
      packetsPerSecond: packets.perSecond,
      framesPerSecond: frames.perSecond,
      framesWithoutCodec: bare.perSecond,
      senderCores: packets.senderCores,
      receiverCores: packets.receiverCores,
    },
    cpuSeconds: packets.cpuSeconds + frames.cpuSeconds + bare.cpuSeconds,
  }
}

/** The ceiling of forwarding: what the encrypted link alone can do with each of the two ways a publication travels. */
export const transportScenario: Scenario = {
  id: 'mesh-transport',
  group: 'mesh',
  title: 'The link between nodes itself',
  description: `Publications of ${payloadBytes} B sent by one process over the mesh's libp2p streams and read by another: as plain packets, encoded one by one, and as a frame nobody looks at; without clients and routing; a core each`,
  metrics: [
    { key: 'packetsPerSecond', title: 'plain packets', unit: '/s', better: 'higher' },
    { key: 'framesPerSecond', title: 'encoded', unit: '/s', better: 'higher' },
    { key: 'framesWithoutCodec', title: 'frames not looked at', unit: '/s', better: 'higher' },
    { key: 'senderCores', title: 'sender', unit: 'cores' },
    { key: 'receiverCores', title: 'receiver', unit: 'cores' },
  ],
  against: 'own',
  contestant: 'two processes',
  measure,
}
