import assert from 'node:assert/strict'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { RPC } from '@libp2p/gossipsub/message'
import type { PrivateKey, Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { encodeDeltas, ExactChanges } from '../../gossip/delta-codec.ts'
import { gossipTopic } from '../../gossip/gossipsub-adapter.ts'
import type { PeerAddress } from '../../src/core/ports/peer-transport.ts'
import {
  channelProtocol,
  encodeHello,
  encodeReady,
  LINK_WIRE_VERSION,
  peerChannels,
} from '../../src/mesh/hello-codec.ts'
import { generateHostKey, openHostKey } from '../../src/mesh/host-key.ts'
import { createMeshHost } from '../../src/mesh/mesh-host.ts'
import type { MeshHost } from '../../src/mesh/mesh-host.ts'
import { until } from '../contract/harness.ts'
import { linkAll, MemoryLogger, MeshHarness } from './mesh-harness.ts'
import type { MeshNode } from './mesh-harness.ts'

/** Sorts before the others, so that it opens the links. */
const ROGUE = 'm-rogue'

describe('a member of a real mesh that misbehaves', () => {
  let harness: MeshHarness
  let nodes: MeshNode[]
  let victim: PeerAddress
  let rogue: MeshHost
  let rogueKey: PrivateKey
  const received: string[] = []

  beforeEach(async () => {
    received.length = 0
    harness = new MeshHarness()
    nodes = [await harness.node(), await harness.node()]
    const addresses = await linkAll(harness, nodes)
    rogueKey = openHostKey(await generateHostKey())
    rogue = await createMeshHost({
      privateKey: rogueKey,
      ...{ listenHost: '127.0.0.1', listenPort: 0, pubsub: () => undefined, logger: new MemoryLogger() },
    })
    const { peerId, addresses: own } = rogue
    const [a, b] = addresses as [PeerAddress, PeerAddress]
    victim = a
    nodes[0]?.transport.setMembers([b, { nodeId: ROGUE, incarnation: 7, peerId, addresses: own }])
    nodes[0]?.transport.onFrame('forward', ({ nodeId }) => received.push(nodeId))
    rogue.admit([a])
  })

  afterEach(async () => {
    await rogue.close()
    await harness.close()
  })

  const lines = (): readonly string[] => nodes[0]?.logger.lines ?? []

  async function open(protocol: string): Promise<Stream> {
    const signal = AbortSignal.timeout(5000)
    return await (await rogue.connect(victim, signal)).newStream(protocol, { signal })
  }

  /** Opens a link the way a member does, but with this hello, and answers its streams. */
  async function link(nodeId: string, incarnation: number): Promise<Stream[]> {
    const hello = encodeHello({
      ...{ wireVersion: LINK_WIRE_VERSION, linkId: '0123456789abcdef', cluster: 'test', nodeId, incarnation },
    })
    const streams = await Promise.all(peerChannels.map(channel => open(channelProtocol(channel))))
    const answers = streams.map(
      stream =>
        new Promise<void>(resolve => stream.addEventListener('message', () => resolve(), { once: true })),
    )
    for (const stream of streams) stream.send(framed(hello))
    const ends = streams.map(
      stream =>
        new Promise<void>(resolve => stream.addEventListener('close', () => resolve(), { once: true })),
    )
    await Promise.race([Promise.all(answers), ...ends])
    for (const stream of streams) if (stream.status === 'open') stream.send(framed(encodeReady()))
    return streams
  }

  /** The others go on as if nothing had happened. */
  async function isUndisturbed(): Promise<void> {
    const [a, b] = nodes as [MeshNode, MeshNode]
    assert.ok(a.transport.isUp('node-1') && b.transport.isUp('node-0'))
    let heard = 0
    b.gossip.onMessage(() => heard++)
    let sequence = 0
    await until(harness, 'gossip among the others', () => {
      const exact = new ExactChanges()
      exact.added(1, 2)
      const [message] = encodeDeltas({
        ...{
          nodeId: 'node-0',
          incarnation: 1,
          firstSequence: ++sequence,
          generation: 1,
          exact,
          patterns: [],
        },
      })
      a.gossip.publish(message ?? new Uint8Array(0))
      return heard > 0
    })
  }

  it('cannot link as another node than its key is known for', async () => {
    await link('node-1', 1)
    await until(harness, 'the refusal', () =>
      lines().some(line => line.includes('it calls itself node-1 and is m-rogue')),
    )
    assert.ok(lines().some(line => line.startsWith('warn refused a link')))
    assert.deepEqual(received, [])
    await isUndisturbed()
  })

  it('cannot link, and so send nothing, as an older incarnation', async () => {
    await link(ROGUE, 6)
    await until(harness, 'the refusal', () =>
      lines().some(line => line.includes('it is incarnation 6, the member known here is 7')),
    )
    assert.equal(nodes[0]?.transport.isUp(ROGUE), false)
    await isUndisturbed()
  })

  it('loses its link for a frame with a lying length, named with the reason', async () => {
    const streams = await link(ROGUE, 7)
    await until(harness, 'the link', () => nodes[0]?.transport.isUp(ROGUE) === true)
    streams[peerChannels.indexOf('forward')]?.send(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1, 2, 3))
    await until(harness, 'its end', () => nodes[0]?.transport.isUp(ROGUE) === false)
    assert.ok(
      lines().some(
        line => line.includes('link down') && line.includes(ROGUE) && line.includes('4294967295 bytes'),
      ),
    )
    assert.deepEqual(received, [])
    await isUndisturbed()
  })

  it('can gossip in its own name only', async () => {
    const heard: string[] = []
    nodes[0]?.gossip.onMessage((message, from) => heard.push(`${from}: ${new TextDecoder().decode(message)}`))
    const stream = await open('/meshsub/1.2.0')
    const forged = nodes[1]?.transport.self.peerId ?? assert.fail()
    stream.send(published(said(forged, 1n, 'forged')))
    stream.send(published(await signed(forged, 3n, 'forged')))
    stream.send(published(await signed(rogue.peerId, 3n, 'its own')))
    await until(harness, 'what it says itself', () => heard.length > 0)
    assert.deepEqual(heard, [`${rogue.peerId}: its own`])
    await isUndisturbed()
  })

  it('is not listened to for a while when what it says is signed by nobody', async () => {
    let heard = 0
    nodes[0]?.gossip.onMessage(() => heard++)
    const stream = await open('/meshsub/1.2.0')
    const isListenedTo = async (number: bigint): Promise<boolean> => {
      const before = heard
      for (let i = 0; i < 20; i++) stream.send(published(said(rogue.peerId, number, 'nobody')))
      stream.send(published(await signed(rogue.peerId, number, 'its own')))
      await harness.advance(100)
      return heard > before
    }
    let number = 0n
    while (await isListenedTo(++number)) assert.ok(number < 50, 'it is listened to for five seconds')
    assert.ok(number > 1n, 'it was not listened to from the beginning')
    await isUndisturbed()
  })

  function said(from: string, sequence: bigint, text: string): RPC.Message {
    const seqno = new Uint8Array(8)
    new DataView(seqno.buffer).setBigUint64(0, sequence)
    return {
      ...{ from: peerIdFromString(from).toMultihash().bytes, seqno, topic: gossipTopic('test') },
      data: new TextEncoder().encode(text),
    }
  }

  /** A message as gossipsub's policy StrictSign wants it, with the rogue's signature. */
  async function signed(from: string, sequence: bigint, text: string): Promise<RPC.Message> {
    const message = said(from, sequence, text)
    const signature = await rogueKey.sign(
      Buffer.concat([Buffer.from('libp2p-pubsub:'), RPC.Message.encode(message)]),
    )
    return { ...message, signature }
  }

  it('disturbs nobody with gossip frames of 200,000 topics', async () => {
    const stream = await open('/meshsub/1.2.0')
    const before = keptBytes()
    for (let i = 0; i < 5 && stream.status === 'open'; i++) {
      stream.send(subscriptions(i))
      await harness.advance(50)
    }
    await isUndisturbed()
    // A node that kept them would need some hundred bytes each.
    assert.ok(keptBytes() - before < 100 * 1024 * 1024)
  }).timeout(60_000)
})

/** Heap in use, garbage not counted. */
function keptBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  return process.memoryUsage().heapUsed
}

function framed(payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(4 + payload.length)
  new DataView(frame.buffer).setUint32(0, payload.length)
  frame.set(payload, 4)
  return frame
}

/** A gossipsub RPC behind its length: field 1 (subscriptions), each with field 1 (true) and field 2 (a topic). */
function subscriptions(round: number): Uint8Array {
  const parts: Buffer[] = []
  for (let i = 0; i < 200_000; i++) {
    const topic = Buffer.from(`${round}/${i}`)
    parts.push(Buffer.from([0x0a, topic.length + 4, 0x08, 1, 0x12, topic.length]), topic)
  }
  return withLength(Buffer.concat(parts))
}

function published(message: RPC.Message): Uint8Array {
  return withLength(RPC.encode({ subscriptions: [], messages: [message] }))
}

/** As gossipsub delimits what it sends. */
function withLength(body: Uint8Array): Uint8Array {
  const length: number[] = []
  for (let rest = body.length; ; rest >>>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest)
    if (rest <= 127) return Buffer.concat([Buffer.from(length), body])
  }
}
