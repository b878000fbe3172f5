import assert from 'node:assert/strict'
import { History, payloadOf } from '../../sim/clients/history.ts'
import { SimClient } from '../../sim/clients/sim-client.ts'
import { SeededRandom } from '../../sim/ports/seeded-random.ts'
import type { SimNode } from '../../sim/world/sim-node.ts'
import { World } from '../../sim/world/world.ts'
import type { QoS } from '../../src/core/qos.ts'

/** Until the others notice that a node was killed: its lease, and some. */
const DEATH_MS = 15_000
/** Until a node that was killed serves again. */
const RESTART_MS = 8000

describe('What is published while a node is gone', function () {
  this.timeout(30_000)
  let world: World
  let history: History
  let nodes: readonly [SimNode, SimNode, SimNode]

  const client = (clientId: string, nodeIds: readonly string[]): SimClient => {
    const { clock, trace } = world
    return new SimClient(
      { clock, trace, history, nodeIds, dial: (nodeId, listener) => world.node(nodeId).dial(listener) },
      { clientId, version: 5, cleanStart: false, expirySeconds: 3600, willDelaySeconds: undefined },
      new SeededRandom(1),
    )
  }

  const subscriber = async (home: SimNode, qos: QoS = 1): Promise<SimClient> => {
    const subscribed = client(`sub of ${home.nodeId}`, [home.nodeId])
    subscribed.connect()
    await world.clock.advance(200)
    subscribed.subscribe({ filter: 't/#', qos, barrier: 'all' })
    await world.clock.advance(500)
    assert.ok(subscribed.isSubscribed)
    return subscribed
  }

  /** How often each message came to the clients of that node, resent copies left out. */
  const arrivals = ({ nodeId }: SimNode): number[] =>
    history.publishes.map(
      ({ publisher, sequence }) =>
        history.deliveries.filter(
          delivery =>
            delivery.clientId === `sub of ${nodeId}` &&
            delivery.payload === payloadOf(publisher, sequence) &&
            !delivery.isRetransmission,
        ).length,
    )

  const kill = (node: SimNode): void => {
    node.isWanted = false
    node.crash('killed by the test')
  }

  const restart = (node: SimNode): void => {
    node.isWanted = true
    node.boot()
  }

  const awayAt = (node: SimNode): readonly string[] => node.broker?.forwarder.peers.awayNodes ?? []

  const simulate = async (scenario: () => Promise<void>): Promise<void> => {
    for (const node of nodes) node.boot()
    await world.clock.advance(3000)
    await scenario()
    assert.deepEqual(world.broken, [])
  }

  beforeEach(() => {
    const latency = { baseMs: 0.2, jitterMs: 0.1, tailShare: 0, tailMs: 0, bytesPerMs: 100_000 }
    const gossip = { lost: 0, doubled: 0, delayMs: 1 }
    world = new World({ seed: 1, nodes: 3, latency, gossip, isDetailed: false })
    history = new History()
    nodes = world.nodes as unknown as [SimNode, SimNode, SimNode]
  })

  it('reaches its sessions, though the ingress started while it was gone', () =>
    simulate(async () => {
      const [a, b] = nodes
      await subscriber(a)
      kill(a)
      await world.clock.advance(DEATH_MS)
      kill(b)
      restart(b)
      await world.clock.advance(RESTART_MS)
      const publisher = client('pub', [b.nodeId])
      publisher.connect()
      await world.clock.advance(500)
      for (let i = 0; i < 5; i++) publisher.publish('t/1', 1)
      await world.clock.advance(500)
      assert.ok(history.publishes.every(({ acknowledgedMs }) => acknowledgedMs !== undefined))
      restart(a)
      await world.clock.advance(DEATH_MS)
      assert.deepEqual(arrivals(a), [1, 1, 1, 1, 1])
      assert.deepEqual(awayAt(b), [])
    }))

  it('reaches its sessions, though the ingress was the first to start after all had died', () =>
    simulate(async () => {
      const [a, b, c] = nodes
      await subscriber(a)
      for (const node of nodes) kill(node)
      await world.clock.advance(DEATH_MS)
      restart(b)
      await world.clock.advance(RESTART_MS)
      const publisher = client('pub', [b.nodeId])
      publisher.connect()
      await world.clock.advance(500)
      publisher.publish('t/1', 2)
      await world.clock.advance(500)
      assert.ok(history.publishes[0]?.acknowledgedMs)
      restart(a)
      restart(c)
      await world.clock.advance(DEATH_MS)
      assert.deepEqual(arrivals(a), [1])
    }))

  it('reaches its sessions, though the ingress was repairing its interest when it went', () =>
    simulate(async () => {
      const [a, b] = nodes
      await subscriber(a)
      b.broker?.remoteIndex.node(a.nodeId).setKnown(false) // as while a gap is repaired
      kill(a)
      await world.clock.advance(DEATH_MS)
      assert.deepEqual(b.broker?.away.unknown, [a.nodeId])
      const publisher = client('pub', [b.nodeId])
      publisher.connect()
      await world.clock.advance(500)
      publisher.publish('t/1', 1)
      await world.clock.advance(500)
      restart(a)
      await world.clock.advance(DEATH_MS)
      assert.deepEqual(arrivals(a), [1])
    }))

  it('is kept no longer, on any node, once the node is forgotten, until it returns', () =>
    simulate(async () => {
      const [a, b, c] = nodes
      await subscriber(a)
      assert.equal(await b.broker?.control.forgetNode(a.nodeId), 'member')
      assert.equal(await b.broker?.control.forgetNode('nobody'), 'unknown')
      kill(a)
      kill(c)
      await world.clock.advance(DEATH_MS)
      const publisher = client('pub', [b.nodeId])
      publisher.connect()
      await world.clock.advance(500)
      publisher.publish('t/1', 1)
      await world.clock.advance(500)
      assert.ok(b.broker?.forwarder.peers.queues().some(({ outboxMessages }) => outboxMessages > 0))
      const forgetting = b.broker?.control.forgetNode(a.nodeId)
      await world.clock.advance(500)
      assert.equal(await forgetting, 'forgotten')
      assert.deepEqual(awayAt(b), [c.nodeId])
      restart(c)
      await world.clock.advance(RESTART_MS)
      assert.deepEqual(awayAt(c), [], 'it was down when the node was forgotten')
      publisher.publish('t/1', 1)
      await world.clock.advance(500)
      assert.ok(b.broker?.forwarder.peers.queues().every(({ outboxMessages }) => outboxMessages === 0))
      restart(a)
      await world.clock.advance(DEATH_MS)
      publisher.publish('t/1', 1)
      await world.clock.advance(500)
      assert.deepEqual(arrivals(a), [0, 0, 1])
      kill(a)
      await world.clock.advance(DEATH_MS)
      assert.deepEqual([awayAt(b), awayAt(c)], [[a.nodeId], [a.nodeId]], 'it was a member again')
    }))

  it('is not kept for a node that left with nothing', () =>
    simulate(async () => {
      const [a, b, c] = nodes
      const leaving = c.broker?.stop()
      await world.clock.advance(2000)
      await leaving
      kill(c)
      kill(b)
      restart(b)
      await world.clock.advance(RESTART_MS)
      assert.deepEqual([awayAt(a), awayAt(b)], [[], []])
    }))
})

describe('A QoS 2 message whose node died before it had passed it on', function () {
  this.timeout(30_000)

  it('reaches everybody once when the publisher repeats it on another node', async () => {
    const latency = { baseMs: 0.2, jitterMs: 0.1, tailShare: 0, tailMs: 0, bytesPerMs: 100_000 }
    const world = new World({
      seed: 1,
      nodes: 3,
      latency,
      gossip: { lost: 0, doubled: 0, delayMs: 1 },
      isDetailed: false,
    })
    const history = new History()
    const { clock, trace, conditions } = world
    const client = (clientId: string, nodeIds: readonly string[]): SimClient =>
      new SimClient(
        { clock, trace, history, nodeIds, dial: (nodeId, listener) => world.node(nodeId).dial(listener) },
        { clientId, version: 5, cleanStart: false, expirySeconds: 3600, willDelaySeconds: undefined },
        new SeededRandom(1),
      )
    for (const node of world.nodes) node.boot()
    await clock.advance(3000)
    for (const { nodeId } of world.nodes) {
      const subscriber = client(`sub of ${nodeId}`, [nodeId])
      subscriber.connect()
      await clock.advance(200)
      subscriber.subscribe({ filter: 't', qos: 2, barrier: 'all' })
    }
    const publisher = client('pub', ['node-1'])
    publisher.connect('node-0')
    await clock.advance(500)
    conditions.block('node-0', 'node-1')
    conditions.block('node-0', 'node-2')
    publisher.publish('t', 2)
    await clock.advance(100)
    world.node('node-0').crash('killed by the test')
    conditions.unblock('node-0', 'node-1')
    conditions.unblock('node-0', 'node-2')
    await clock.advance(40_000)
    assert.deepEqual(world.broken, [])
    const [published] = history.publishes
    assert.deepEqual(published?.sends.at(-1)?.connection.nodeId, 'node-1', 'it was repeated there')
    assert.ok(published?.acknowledgedMs)
    const firsts = history.deliveries.filter(({ isRetransmission }) => !isRetransmission)
    assert.deepEqual(firsts.map(({ clientId }) => clientId).sort(), [
      'sub of node-0',
      'sub of node-1',
      'sub of node-2',
    ])
  })
})
