/**
 * A process with a libp2p host, the mesh transport and the codec of forwarded publications, and nothing else of a node; started
 * by transport-worker.ts with its node's id.
 */
import { gossipsubService } from '../../gossip/gossipsub-adapter.ts'
import {
  decodePublish,
  encodePublish,
  headOfPackets,
  PACKETS_OFFSET,
  stampPublish,
} from '../../routing/forward-codec.ts'
import type { Logger } from '../../src/core/ports/logger.ts'
import type { Publication } from '../../src/core/publication.ts'
import { generateHostKey, openHostKey } from '../../src/mesh/host-key.ts'
import { Libp2pPeerTransport } from '../../src/mesh/libp2p-peer-transport.ts'
import { createMeshHost } from '../../src/mesh/mesh-host.ts'
import { PlainPacketDecoder } from '../../src/mqtt/wire/plain-packet-decoder.ts'
import { PublishEncoder } from '../../src/mqtt/wire/publish-encoder.ts'
import { SystemClock } from '../../src/system/system-clock.ts'
import { SystemRandom } from '../../src/system/system-random.ts'
import { ownCpuSeconds } from '../load/cpu-meter.ts'
import type { TransportAnswer, TransportCodec, TransportRequest } from './transport-protocol.ts'

/** Publications sent in one turn of the event loop: about what one read of a busy publisher's socket brings. */
const framesPerTurn = 256

const [nodeId = ''] = process.argv.slice(2)
const cluster = 'bench'
const logger: Logger = {
  debug() {},
  info() {},
  warn: (message, fields) => console.error(message, fields),
  error: (message, fields) => console.error(message, fields),
  child: () => logger,
}
const host = await createMeshHost({
  privateKey: openHostKey(await generateHostKey()),
  listenHost: '127.0.0.1',
  listenPort: 0,
  pubsub: gossipsubService(cluster),
  logger,
})
const clock = new SystemClock()
const transport = await Libp2pPeerTransport.create(
  { host, clock, random: new SystemRandom(), logger },
  { cluster },
)
transport.start(nodeId, 1)

let received = 0

async function linkTo(peer: Extract<TransportRequest, { kind: 'link' }>['peer']): Promise<void> {
  transport.setMembers([peer])
  while (!transport.isUp(peer.nodeId)) await new Promise(resolve => setTimeout(resolve, 10))
}

function receive(codec: TransportCodec): void {
  const packets = new PlainPacketDecoder()
  transport.onFrame('forward', (_from, frame) => {
    if (codec !== 'packets') {
      if (codec === 'frames' && decodePublish(frame, 0) === undefined) throw new Error('a frame is malformed')
      received++
      return
    }
    for (let at = PACKETS_OFFSET; at < frame.length; received++) {
      const publication = packets.read(frame, at, false)
      if (publication === undefined) throw new Error('a packet is malformed')
      at = publication.packet.end
    }
  })
}

function send({ to, payloadBytes, codec }: Extract<TransportRequest, { kind: 'send' }>): void {
  const publication: Publication = {
    topic: 'bench/topic-0',
    payload: new Uint8Array(payloadBytes),
    qos: 0,
    retain: false,
    properties: undefined,
    expiresAtMs: undefined,
    publisher: '',
  }
  const constant = encodePublish(publication)
  const { bytes: packet } = new PublishEncoder().encode(publication, 4, 0, false, 0)
  const chunk = Buffer.concat(Array.from({ length: framesPerTurn }, () => packet))
  const head = headOfPackets(false)
  const sendOne = (i: number): boolean => {
    if (codec === 'packets')
      return transport.sendPiece(to, 'forward', head, chunk, i * packet.length, (i + 1) * packet.length)
    const frame = codec === 'frames' ? encodePublish(publication) : constant
    if (codec === 'frames') stampPublish(frame, 0, 0)
    return transport.send(to, 'forward', frame)
  }
  const turn = (): void => {
    for (let i = 0; i < framesPerTurn; i++) {
      // A full queue tells when it has room again.
      if (!sendOne(i)) return
    }
    setImmediate(turn)
  }
  transport.onDrain(() => setImmediate(turn))
  turn()
}

async function perform(request: TransportRequest): Promise<TransportAnswer> {
  switch (request.kind) {
    case 'address':
      return { address: { nodeId, incarnation: 1, ...transport.self } }
    case 'link':
      await linkTo(request.peer)
      return {}
    case 'receive':
      receive(request.codec)
      return {}
    case 'send':
      send(request)
      return {}
    case 'count':
      return { count: { publications: received, atMs: performance.now(), cpuSeconds: ownCpuSeconds() } }
  }
}

process.on('message', (request: TransportRequest) => {
  void perform(request).then(answer => process.send?.(answer))
})
process.on('disconnect', () => process.exit(0))
