/**
 * A process with libp2p hosts as nodes have them, mesh links and gossip included, and nothing else of a node; started by
 * link-readings.ts with the number of hosts and a name for them. They know nobody until they are told whom to link to.
 */
import { encodeDeltas, ExactChanges, decodeDelta } from '../../gossip/delta-codec.ts'
import { gossipsubService, GossipsubGossip } from '../../gossip/gossipsub-adapter.ts'
import type { Logger } from '../../src/core/ports/logger.ts'
import type { PeerAddress } from '../../src/core/ports/peer-transport.ts'
import { generateHostKey, openHostKey } from '../../src/mesh/host-key.ts'
import { Libp2pPeerTransport } from '../../src/mesh/libp2p-peer-transport.ts'
import { createMeshHost } from '../../src/mesh/mesh-host.ts'
import { SystemClock } from '../../src/system/system-clock.ts'
import { SystemRandom } from '../../src/system/system-random.ts'
import type { LinkAnswer, LinkRequest, LinkTaken, Seen } from './link-protocol.ts'

const [countText = '1', name = ''] = process.argv.slice(2)
const cluster = 'calibrate'
const logger: Logger = {
  debug() {},
  info() {},
  warn: (message, fields) => console.error(message, fields),
  error: (message, fields) => console.error(message, fields),
  child: () => logger,
}

interface Host {
  readonly nodeId: string
  readonly transport: Libp2pPeerTransport
  readonly gossip: GossipsubGossip
}

let sent: Seen[] = []
let received: Seen[] = []
let receivedBytes = 0
let messages = 0
let frames = 0

function nowUs(): number {
  return Number(process.hrtime.bigint() / 1000n)
}

async function openHost(nodeId: string): Promise<Host> {
  const host = await createMeshHost({
    privateKey: openHostKey(await generateHostKey()),
    listenHost: '127.0.0.1',
    listenPort: 0,
    pubsub: gossipsubService(cluster),
    logger,
  })
  const transport = await Libp2pPeerTransport.create(
    { host, clock: new SystemClock(), random: new SystemRandom(), logger },
    { cluster },
  )
  transport.start(nodeId, 1)
  const gossip = new GossipsubGossip(host.pubsub, cluster)
  gossip.onMessage(message => {
    const delta = decodeDelta(message)
    if (delta === undefined) throw new Error('a gossip message could not be decoded')
    received.push([delta.firstSequence, nowUs()])
  })
  transport.onFrame('forward', (_from, frame) => {
    receivedBytes += frame.length
    received.push([new DataView(frame.buffer, frame.byteOffset).getUint32(0), nowUs()])
  })
  return { nodeId, transport, gossip }
}

const hosts = await Promise.all(
  Array.from({ length: Number(countText) }, (_, index) => openHost(`${name}-${index}`)),
)

async function link(peers: readonly PeerAddress[]): Promise<void> {
  for (const { transport } of hosts) transport.setMembers(peers)
  const areUp = (): boolean =>
    hosts.every(({ transport }) => peers.every(({ nodeId }) => transport.isUp(nodeId)))
  while (!areUp()) await new Promise(resolve => setTimeout(resolve, 10))
}

/** Calls `send` at a steady rate; the timer's grain is a millisecond, and what is late is made up for. */
async function paced(perSecond: number, forMs: number, send: () => void): Promise<void> {
  const startMs = performance.now()
  const count = Math.floor((perSecond * forMs) / 1000)
  for (let i = 0; i < count; i++) {
    const waitMs = startMs + (i * 1000) / perSecond - performance.now()
    if (waitMs > 0) await new Promise(resolve => setTimeout(resolve, waitMs))
    send()
  }
  const restMs = startMs + forMs - performance.now()
  if (restMs > 0) await new Promise(resolve => setTimeout(resolve, restMs))
}

function publish({ nodeId, gossip }: Host): void {
  const sequence = ++messages
  const exact = new ExactChanges()
  exact.added(sequence, sequence)
  const delta = { nodeId, incarnation: 1, firstSequence: sequence, generation: 1, exact, patterns: [] }
  for (const message of encodeDeltas(delta)) {
    sent.push([sequence, nowUs()])
    gossip.publish(message)
  }
}

function frameOf(bytes: number): Uint8Array {
  const frame = new Uint8Array(bytes)
  new DataView(frame.buffer).setUint32(0, ++frames)
  return frame
}

/** As many as the link takes; the queue to the peer tells when it has room again. */
async function flood({ transport }: Host, to: string, bytes: number, forMs: number): Promise<void> {
  const endMs = performance.now() + forMs
  let resume = (): void => {}
  transport.onDrain(() => resume())
  while (performance.now() < endMs) {
    if (transport.send(to, 'forward', frameOf(bytes))) {
      if (frames % 64 === 0) await new Promise(resolve => setImmediate(resolve))
    } else {
      await new Promise<void>(resolve => (resume = resolve))
    }
  }
}

function take(): LinkTaken {
  const { user, system } = process.cpuUsage()
  const taken = { atUs: nowUs(), cpuUs: user + system, sent, received, receivedBytes }
  sent = []
  received = []
  receivedBytes = 0
  return taken
}

async function perform(request: LinkRequest): Promise<LinkAnswer> {
  const [first] = hosts
  if (first === undefined) throw new Error('there is no host')
  switch (request.kind) {
    case 'addresses':
      return {
        addresses: hosts.map(({ nodeId, transport }) => ({ nodeId, incarnation: 1, ...transport.self })),
      }
    case 'link':
      await link(request.peers)
      return { done: true }
    case 'gossip':
      await paced(request.perSecond, request.forMs, () => publish(first))
      return { done: true }
    case 'frames': {
      const { to, bytes, perSecond, forMs } = request
      if (perSecond === null) await flood(first, to[0] ?? '', bytes, forMs)
      else
        await paced(perSecond, forMs, () => {
          const frame = frameOf(bytes)
          sent.push([frames, nowUs()])
          for (const nodeId of to) first.transport.send(nodeId, 'forward', frame)
        })
      return { done: true }
    }
    case 'take':
      return { taken: take() }
  }
}

process.on('message', (request: LinkRequest) => {
  void perform(request).then(answer => process.send?.(answer))
})
process.on('disconnect', () => process.exit(0))
