import assert from 'node:assert/strict'
import { encodePublish, stampPublish } from '../../routing/forward-codec.ts'
import { encodeRetainedFrame } from '../../routing/retained-frame-codec.ts'
import { RetainedHolders } from '../../routing/retained-holders.ts'
import { SimPeerNetwork } from '../../sim/ports/sim-peer-network.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import { limits } from '../../src/core/limits.ts'
import { until } from '../contract/harness.ts'
import { DIGEST_MS, INLINE_BYTES_MAX, meet, RetainedNode } from './support/retained-node.ts'

const LARGE = 'x'.repeat(INLINE_BYTES_MAX + 1)
const LARGER = 'y'.repeat(5000)
const TOPIC = 'firmware/plan'

describe('payloads of large retained messages', () => {
  let clock: VirtualClock
  let network: SimPeerNetwork
  /** Those that live. */
  let nodes: RetainedNode[]
  /** Of TOPIC, in a cluster of all four; and the others. */
  let holders: RetainedNode[]
  let others: RetainedNode[]
  const advance = (ms: number): Promise<void> => clock.advance(ms)
  const settle = (): Promise<void> => advance(limits.retainedSettleMs + 4 * DIGEST_MS)

  function holdersOf(topic: string): RetainedNode[] {
    const chosen = new RetainedHolders('nobody', 'test')
    chosen.setNodes(nodes.map(({ nodeId }) => nodeId))
    return chosen.of(topic).map(nodeId => nodes.find(node => node.nodeId === nodeId) as RetainedNode)
  }

  /** Retains it at a node, from which it reaches all others at once. */
  function publish(at: RetainedNode, topic: string, payload: string): void {
    at.publish(
      topic,
      payload,
      undefined,
      nodes.filter(node => node !== at),
    )
  }

  function kill(...gone: RetainedNode[]): void {
    for (const node of gone) node.kill()
    nodes = nodes.filter(node => !gone.includes(node))
    meet(nodes)
  }

  async function restart(node: RetainedNode): Promise<RetainedNode> {
    const next = new RetainedNode(clock, network, node.nodeId, node.incarnation + 100, node.disk)
    await next.restore()
    nodes.push(next)
    meet(nodes)
    return next
  }

  /** What a client gets that subscribes at the node. */
  async function read(node: RetainedNode, topic: string): Promise<string | undefined> {
    const answer = node.read(topic)
    await until({ advance }, 'an answer', () => answer.isDone, 20_000)
    return answer.payload
  }

  beforeEach(async () => {
    clock = new VirtualClock()
    network = new SimPeerNetwork(clock)
    nodes = Array.from({ length: 4 }, (_, i) => new RetainedNode(clock, network, `n${i}`, 10 + i))
    meet(nodes)
    await advance(100)
    holders = holdersOf(TOPIC)
    others = nodes.filter(node => !holders.includes(node))
  })

  it('are on two nodes, in memory and on disk, wherever they were published; small ones are on all', async () => {
    const topics = Array.from({ length: 20 }, (_, i) => `large/${i}`)
    topics.forEach((topic, i) => publish(nodes[i % 4] as RetainedNode, topic, LARGER))
    publish(nodes[0] as RetainedNode, 'small', 'z'.repeat(INLINE_BYTES_MAX))
    await advance(3 * DIGEST_MS)
    for (const topic of topics) {
      assert.deepEqual(
        nodes.filter(node => node.holds(topic)),
        nodes.filter(node => holdersOf(topic).includes(node)),
      )
      const onDisk = nodes.filter(({ disk }) => (disk.get(`retained/${topic}`)?.length ?? 0) > LARGER.length)
      assert.equal(onDisk.length, 2)
    }
    assert(nodes.every(node => node.holds('small')))
    assert(nodes.every(({ placement }) => placement.misplacedCount === 0))
  })

  it('stay where they were published until both holders have them on disk', async () => {
    const [ingress] = others as [RetainedNode]
    const [holder, late] = holders as [RetainedNode, RetainedNode]
    ingress.publish(TOPIC, LARGE, undefined, [holder])
    ingress.transport.disconnect(late.nodeId)
    late.transport.setMembers([])
    await advance(5 * DIGEST_MS)
    assert(holder.holds(TOPIC))
    assert(ingress.holds(TOPIC), 'only one holder has it')
    meet(nodes)
    await advance(5 * DIGEST_MS)
    assert(late.holds(TOPIC))
    assert(!ingress.holds(TOPIC))
  })

  it('reach who subscribes at a node that does not keep them, from the other holder when one is dead', async () => {
    publish(holders[0] as RetainedNode, TOPIC, LARGE)
    const [dead] = holders as [RetainedNode]
    kill(dead)
    const reader = others.find(node => nodes.includes(node) && !node.holds(TOPIC)) as RetainedNode
    reader.placement.cache.delete(TOPIC)
    assert.equal(await read(reader, TOPIC), LARGE)
    assert.equal(reader.placement.fetches.stats.found, 1)
    assert.equal(await read(reader, TOPIC), LARGE)
    assert.equal(reader.placement.fetches.stats.found, 1, 'it is in the cache')
  })

  it('that are on no living node are not delivered: the topic is in the log, and counted; they are back with a holder', async () => {
    publish(holders[0] as RetainedNode, TOPIC, LARGE)
    await advance(100)
    const [first] = holders as [RetainedNode]
    for (const node of others) node.placement.cache.delete(TOPIC)
    kill(...holders)
    await settle()
    const [reader] = others as [RetainedNode]
    assert.equal(await read(reader, TOPIC), undefined)
    assert.equal(reader.placement.fetches.stats.undelivered, 1)
    assert.deepEqual(
      reader.warnings.map(({ fields }) => [fields?.['topic'], fields?.['bytes']]),
      [[TOPIC, LARGE.length]],
    )
    await restart(first)
    await advance(100)
    assert.equal(await read(reader, TOPIC), LARGE)
    await settle()
    assert.equal(nodes.filter(node => node.holds(TOPIC)).length, 2, 'another node keeps it now')
  })

  it('get a second holder when one is gone for good, and leave it when that one is back', async () => {
    publish(holders[0] as RetainedNode, TOPIC, LARGE)
    await advance(2 * DIGEST_MS)
    for (const node of others) node.placement.cache.delete(TOPIC)
    const [gone, stays] = holders as [RetainedNode, RetainedNode]
    kill(gone)
    await advance(limits.retainedSettleMs - DIGEST_MS)
    const keeping = nodes.filter(node => node.holds(TOPIC))
    assert.deepEqual(keeping, [stays], 'it may only restart')
    await settle()
    assert.deepEqual(
      nodes.filter(node => node.holds(TOPIC)),
      nodes.filter(node => holdersOf(TOPIC).includes(node)),
    )
    const back = await restart(gone)
    await settle()
    assert.deepEqual(new Set(nodes.filter(node => node.holds(TOPIC))), new Set([stays, back]))
  })

  it('come to a node that joins only so far as it is a holder; it has all messages without them', async () => {
    const topics = Array.from({ length: 100 }, (_, i) => `large/${i}`)
    for (const topic of topics) publish(nodes[0] as RetainedNode, topic, LARGE)
    await advance(2 * DIGEST_MS)
    const joiner = await restart(new RetainedNode(clock, network, 'n9', 1))
    await until({ advance }, 'it is synchronized', () => joiner.sync.isSynchronized)
    assert.equal(joiner.messages.count, 100)
    assert(topics.every(topic => !joiner.holds(topic)))
    await settle()
    for (const topic of topics) assert.equal(joiner.holds(topic), holdersOf(topic).includes(joiner))
    for (const topic of topics) assert.equal(nodes.filter(node => node.holds(topic)).length, 2)
    for (const topic of topics) assert.equal(await read(joiner, topic), LARGE)
  })

  it('go with a deletion, and a holder that missed it does not bring them back', async () => {
    publish(others[0] as RetainedNode, TOPIC, LARGE)
    await advance(2 * DIGEST_MS)
    const [missed, stays] = holders as [RetainedNode, RetainedNode]
    kill(missed)
    publish(stays, TOPIC, '')
    const back = await restart(missed)
    await settle()
    for (const node of nodes) assert.equal(await read(node, TOPIC), undefined)
    assert(!back.holds(TOPIC))
  })

  it('of a message that was deleted or replaced while they were fetched are not delivered', async () => {
    publish(holders[0] as RetainedNode, TOPIC, LARGE)
    publish(holders[0] as RetainedNode, `${TOPIC}/2`, LARGE)
    await advance(2 * DIGEST_MS)
    const reader = nodes.find(node => !node.holds(TOPIC)) as RetainedNode
    reader.placement.cache.delete(TOPIC)
    const deleted = reader.read(TOPIC)
    publish(holders[0] as RetainedNode, TOPIC, '')
    await advance(100)
    assert.deepEqual(deleted, { payload: undefined, isDone: true })

    publish(holders[0] as RetainedNode, TOPIC, LARGE)
    reader.placement.cache.delete(TOPIC)
    const replaced = reader.read(TOPIC)
    publish(holders[0] as RetainedNode, TOPIC, 'small')
    await advance(100)
    assert.deepEqual(replaced, { payload: 'small', isDone: true })
  })

  it('follow the size of their message from large to small and back', async () => {
    for (const [payload, count] of [
      [LARGE, 2],
      ['small', 4],
      [LARGER, 2],
      ['tiny', 4],
    ] as const) {
      publish(others[1] as RetainedNode, TOPIC, payload)
      await advance(3 * DIGEST_MS)
      assert.equal(nodes.filter(node => node.holds(TOPIC)).length, count)
      for (const node of nodes) assert.equal(await read(node, TOPIC), payload)
    }
  })

  it('that came by while a holder was cut off are got from whoever still has them', async () => {
    const [ingress, passedBy] = others as [RetainedNode, RetainedNode]
    ingress.publish(TOPIC, LARGE, undefined, [passedBy])
    kill(ingress)
    await settle()
    for (const node of nodes) assert.equal(await read(node, TOPIC), LARGE)
    assert.equal(nodes.filter(node => node.holds(TOPIC)).length, 2)
  })

  it('that are nowhere are looked for with pauses ten times as long as it took in vain', async () => {
    const [seeker, ...silent] = nodes as [RetainedNode, ...RetainedNode[]]
    for (const { transport } of silent) transport.onFrame('retained', () => undefined)
    const rest = { qos: 1, retain: true, properties: undefined, expiresAtMs: undefined } as const
    const stamp = { time: 5, incarnation: 1 }
    for (let i = 0; i < 70; i++) {
      const entry = { ...rest, topic: `lost/${i}`, payload: new Uint8Array(0), publisher: '', stamp }
      seeker.messages.apply({ ...entry, absentBytes: 500 })
    }
    const lacking = seeker.placement.misplacedCount
    assert(lacking > 32, 'more than are looked for at once')
    await advance(10 * 60_000)
    const rounds = seeker.placement.fetches.stats.missing / lacking
    assert(rounds > 3 && rounds < 15, `${rounds} rounds in ten minutes`)
  })

  it('of impossible lengths, or with one they do not have, are refused, and the link is closed', async () => {
    const [liar, victim] = nodes as [RetainedNode, RetainedNode]
    const stamp = { time: 5, incarnation: liar.incarnation }
    const publication = { qos: 1, retain: true, properties: undefined, expiresAtMs: undefined } as const
    const publish = (payload: string): Uint8Array => {
      const parts = { ...publication, topic: 'lie', payload: Buffer.from(payload), publisher: '', stamp }
      const frame = encodePublish(parts)
      stampPublish(frame, 1, 0)
      return frame
    }
    const frames = [
      { type: 'large', payloadBytes: limits.packetBytesMax + 1, publish: publish('') },
      { type: 'large', payloadBytes: 0, publish: publish('') },
      { type: 'large', payloadBytes: 500, publish: publish('and a payload') },
      { type: 'offer', versions: Array.from({ length: 300 }, (_, i) => ({ topic: `t/${i}`, stamp })) },
    ] as const
    for (const [i, frame] of frames.entries()) {
      await until({ advance }, 'a link', () => liar.transport.isUp(victim.nodeId))
      liar.transport.send(victim.nodeId, 'retained', encodeRetainedFrame(frame))
      await advance(5)
      assert.equal(victim.sync.stats.rejected, i + 1)
      assert(!liar.transport.isUp(victim.nodeId))
    }
    assert.equal(victim.messages.entryCount, 0)
  })

  it('nobody asked for change nothing', async () => {
    publish(holders[0] as RetainedNode, TOPIC, LARGE)
    await advance(2 * DIGEST_MS)
    const [liar] = holders as [RetainedNode]
    const [victim] = others as [RetainedNode]
    victim.placement.cache.delete(TOPIC)
    const stamp = victim.messages.entryOf(TOPIC)?.stamp ?? { time: 0, incarnation: 0 }
    const payload = Buffer.from('z'.repeat(LARGE.length))
    liar.transport.send(
      victim.nodeId,
      'retained',
      encodeRetainedFrame({ type: 'payload', topic: TOPIC, stamp, payload }),
    )
    await advance(5)
    assert.equal(victim.placement.cache.byteCount, 0)
    assert.equal(await read(victim, TOPIC), LARGE)
  })
})
