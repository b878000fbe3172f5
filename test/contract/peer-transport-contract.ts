import assert from 'node:assert/strict'
import { limits } from '../../src/core/limits.ts'
import type { Incarnation, NodeId } from '../../src/core/ids.ts'
import type { PeerAddress, PeerChannel, PeerTransport } from '../../src/core/ports/peer-transport.ts'
import { until } from './harness.ts'
import type { Harness } from './harness.ts'

/** Makes transports that can reach one another; each has a peer id of its own. */
export interface PeerNetwork {
  transport(nodeId: NodeId): Promise<PeerTransport>
}

/** A started transport that records what happens to it. */
interface Node {
  readonly transport: PeerTransport
  readonly address: PeerAddress
  readonly events: string[]
  readonly frames: { from: string; channel: PeerChannel; frame: Uint8Array }[]
}

const channels: readonly PeerChannel[] = ['forward', 'interest', 'session', 'retained']

/** What the docs of `PeerTransport` promise. */
export function peerTransportContract(createHarness: () => Promise<Harness<PeerNetwork>>): void {
  let harness: Harness<PeerNetwork>

  beforeEach(async () => {
    harness = await createHarness()
  })

  afterEach(async () => {
    await harness.close()
  })

  async function node(nodeId: NodeId, incarnation: Incarnation): Promise<Node> {
    const transport = await harness.subject.transport(nodeId)
    const address = { nodeId, incarnation, ...transport.self }
    const made: Node = { transport, address, events: [], frames: [] }
    transport.addPeerListener({
      onPeerUp: peer => made.events.push(`up ${peer.nodeId}/${peer.incarnation}`),
      onPeerDown: peer => made.events.push(`down ${peer.nodeId}/${peer.incarnation}`),
    })
    for (const channel of channels) {
      transport.onFrame(channel, (from, frame) => {
        made.frames.push({
          from: `${from.nodeId}/${from.incarnation}`,
          channel,
          frame: new Uint8Array(frame),
        })
      })
    }
    transport.start(nodeId, incarnation)
    return made
  }

  function meet(...nodes: Node[]): void {
    for (const { transport, address } of nodes) {
      transport.setMembers(nodes.map(other => other.address).filter(other => other !== address))
    }
  }

  async function linkedPair(): Promise<[a: Node, b: Node]> {
    const [a, b] = [await node('node-a', 3), await node('node-b', 4)]
    meet(a, b)
    await until(harness, 'the link to be up at both ends', () => {
      return a.transport.isUp('node-b') && b.transport.isUp('node-a')
    })
    return [a, b]
  }

  it('brings a link up at both ends and names the peer and its incarnation', async () => {
    const [a, b] = await linkedPair()
    assert.deepEqual(a.events, ['up node-b/4'])
    assert.deepEqual(b.events, ['up node-a/3'])
  })

  it('delivers frames in order on every channel, both ways, from the peer that sent them', async () => {
    const [a, b] = await linkedPair()
    for (let i = 0; i < 100; i++) {
      for (const channel of channels) {
        assert.ok(a.transport.send('node-b', channel, Uint8Array.of(i)))
        assert.ok(b.transport.send('node-a', channel, Uint8Array.of(i, i)))
      }
    }
    await until(harness, 'all frames', () =>
      [a, b].every(({ frames }) => frames.length === 100 * channels.length),
    )
    for (const [at, sender, bytes] of [
      [b, 'node-a/3', 1],
      [a, 'node-b/4', 2],
    ] as const) {
      for (const channel of channels) {
        const received = at.frames.filter(frame => frame.channel === channel)
        assert.deepEqual(
          received.map(({ frame }) => frame[0]),
          Array.from({ length: 100 }, (_, i) => i),
        )
        assert.ok(received.every(({ from, frame }) => from === sender && frame.length === bytes))
      }
    }
  })

  it('delivers frames that were sent within onPeerUp', async () => {
    const [a, b] = [await node('node-a', 1), await node('node-b', 2)]
    for (const [{ transport }, to] of [
      [a, 'node-b'],
      [b, 'node-a'],
    ] as const) {
      transport.addPeerListener({
        onPeerUp: () => {
          for (const channel of channels) assert.ok(transport.send(to, channel, Uint8Array.of(7)))
        },
        onPeerDown: () => undefined,
      })
    }
    meet(a, b)
    await until(harness, 'the first frames', () => a.frames.length === 4 && b.frames.length === 4)
  })

  it('carries frames of one byte and frames of the largest size', async () => {
    const [a, b] = await linkedPair()
    const large = new Uint8Array(limits.peerFrameBytesMax)
    for (let i = 0; i < large.length; i += 997) large[i] = i
    assert.ok(a.transport.send('node-b', 'session', Uint8Array.of(5)))
    assert.ok(a.transport.send('node-b', 'session', large))
    await until(harness, 'both frames', () => b.frames.length === 2)
    assert.equal(b.frames[0]?.frame.length, 1)
    assert.ok(Buffer.from(large).equals(b.frames[1]?.frame ?? new Uint8Array(0)))
  })

  it('takes a copy of a frame', async () => {
    const [a, b] = await linkedPair()
    const frame = Uint8Array.of(1, 2, 3)
    assert.ok(a.transport.send('node-b', 'forward', frame))
    frame.fill(9)
    await until(harness, 'the frame', () => b.frames.length === 1)
    assert.deepEqual([...(b.frames[0]?.frame ?? [])], [1, 2, 3])
  })

  it('carries pieces, in order and among frames, in frames that begin with their head', async () => {
    const [a, b] = await linkedPair()
    const head = Uint8Array.of(1, 2)
    const source = Uint8Array.from({ length: 200 }, (_, i) => i)
    for (let i = 0; i < 100; i++) {
      assert.ok(a.transport.sendPiece('node-b', 'forward', head, source, 2 * i, 2 * i + 2))
      if (i % 40 === 9) assert.ok(a.transport.send('node-b', 'forward', Uint8Array.of(9, i)))
    }
    const bodies = (): number[] =>
      b.frames.flatMap(({ frame }) => [...(frame[0] === 9 ? frame : frame.subarray(2))])
    await until(harness, 'everything', () => bodies().length === 206)
    assert.ok(b.frames.every(({ frame }) => frame[0] === 9 || (frame[0] === 1 && frame[1] === 2)))
    const expected = Array.from({ length: 100 }, (_, i) => [
      2 * i,
      2 * i + 1,
      ...(i % 40 === 9 ? [9, i] : []),
    ])
    assert.deepEqual(bodies(), expected.flat())
  })

  it('carries a piece larger than any chunk, and one of another head behind it', async () => {
    const [a, b] = await linkedPair()
    const large = Uint8Array.from({ length: 200_000 }, (_, i) => i)
    assert.ok(a.transport.sendPiece('node-b', 'forward', Uint8Array.of(1), large, 0, large.length))
    assert.ok(a.transport.sendPiece('node-b', 'forward', Uint8Array.of(2), large, 7, 8))
    await until(harness, 'both', () => b.frames.length === 2)
    assert.ok(Buffer.concat([Uint8Array.of(1), large]).equals(b.frames[0]?.frame ?? new Uint8Array(0)))
    assert.deepEqual([...(b.frames[1]?.frame ?? [])], [2, 7])
  })

  it('does not change the bytes of a frame after it was handed over', async () => {
    const [a, b] = await linkedPair()
    const held: Uint8Array[] = []
    b.transport.onFrame('forward', (_from, frame) => held.push(frame))
    for (let i = 0; i < 2000; i++)
      assert.ok(a.transport.send('node-b', 'forward', new Uint8Array(100).fill(i)))
    await until(harness, 'all frames', () => held.length === 2000)
    for (const [i, frame] of held.entries()) assert.ok(frame.every(byte => byte === i % 256))
  })

  it('refuses frames for peers without a link', async () => {
    const a = await node('node-a', 1)
    assert.equal(a.transport.isUp('node-b'), false)
    assert.equal(a.transport.send('node-b', 'forward', Uint8Array.of(1)), false)
    assert.equal(a.transport.sendPiece('node-b', 'forward', Uint8Array.of(1), Uint8Array.of(2), 0, 1), false)
  })

  it('refuses frames beyond the queue limit, tells when there is room again, and loses none that it took', async () => {
    const [a, b] = await linkedPair()
    const drained: string[] = []
    a.transport.onDrain((nodeId, channel) => drained.push(`${nodeId} ${channel}`))
    const frame = new Uint8Array(1024 * 1024)
    let taken = 0
    while (a.transport.send('node-b', 'forward', frame)) taken++
    assert.ok(taken * frame.length <= limits.peerQueueBytesMax)
    assert.ok((taken + 2) * frame.length > limits.peerQueueBytesMax)
    assert.deepEqual(drained, [])
    await until(harness, 'room again', () => drained.length > 0)
    assert.deepEqual(drained, ['node-b forward'])
    assert.ok(a.transport.send('node-b', 'forward', frame))
    await until(harness, 'every frame that was taken', () => b.frames.length === taken + 1)
  })

  it('does not link with a node that has not this one among its members', async () => {
    const [a, b] = [await node('node-a', 1), await node('node-b', 2)]
    a.transport.setMembers([b.address])
    await harness.advance(300)
    assert.deepEqual([...a.events, ...b.events], [])
    b.transport.setMembers([a.address])
    await until(harness, 'the link, once both want it', () => a.events.length + b.events.length === 2)
  })

  it('does not link with a peer that is of another incarnation than its member entry', async () => {
    const [a, b] = [await node('node-a', 1), await node('node-b', 2)]
    a.transport.setMembers([{ ...b.address, incarnation: 5 }])
    b.transport.setMembers([a.address])
    await harness.advance(300)
    assert.deepEqual([...a.events, ...b.events], [])
  })

  it('closes the link of a node that is no longer a member', async () => {
    const [a, b] = await linkedPair()
    a.transport.setMembers([])
    assert.deepEqual(a.events, ['up node-b/4', 'down node-b/4'])
    assert.equal(a.transport.send('node-b', 'forward', Uint8Array.of(1)), false)
    await until(harness, 'the other end to notice', () => b.events.length === 2)
    assert.deepEqual(b.events, ['up node-a/3', 'down node-a/3'])
  })

  it('tells the other end when a transport closes, and itself nothing', async () => {
    const [a, b] = await linkedPair()
    await a.transport.close()
    await until(harness, 'the other end to notice', () => b.events.length === 2)
    assert.deepEqual(b.events, ['up node-a/3', 'down node-a/3'])
    assert.deepEqual(a.events, ['up node-b/4'])
    assert.equal(a.transport.send('node-b', 'forward', Uint8Array.of(1)), false)
  })

  it('replaces the link of a node that came back with a new incarnation', async () => {
    const [a, b] = await linkedPair()
    await b.transport.close()
    const again = await node('node-b', 9)
    meet(a, again)
    await until(harness, 'the new link', () => a.events.at(-1) === 'up node-b/9' && again.events.length === 1)
    assert.deepEqual(a.events, ['up node-b/4', 'down node-b/4', 'up node-b/9'])
    assert.ok(again.transport.send('node-a', 'interest', Uint8Array.of(1)))
    await until(harness, 'a frame from the new incarnation', () => a.frames.length === 1)
    assert.equal(a.frames[0]?.from, 'node-b/9')
  })

  it('dials again after a disconnect from either end', async () => {
    const [a, b] = await linkedPair()
    for (const [node, peer] of [
      [a, 'node-b'],
      [b, 'node-a'],
    ] as const) {
      const before = [a.events.length, b.events.length] as const
      node.transport.disconnect(peer, 'a test')
      assert.equal(node.transport.isUp(peer), false)
      await until(harness, 'down and up at both ends', () => {
        return a.events.length === before[0] + 2 && b.events.length === before[1] + 2
      })
    }
    const [up, down] = ['up node-b/4', 'down node-b/4']
    assert.deepEqual(a.events, [up, down, up, down, up])
    b.frames.length = 0
    assert.ok(a.transport.send('node-b', 'forward', Uint8Array.of(1)))
    await until(harness, 'a frame over the new link', () => b.frames.length === 1)
  })
}
