import assert from 'node:assert/strict'
import { History, payloadOf } from '../../sim/clients/history.ts'
import { SimClient } from '../../sim/clients/sim-client.ts'
import { SeededRandom } from '../../sim/ports/seeded-random.ts'
import type { SimNode } from '../../sim/world/sim-node.ts'
import { World } from '../../sim/world/world.ts'
import type { BrokerNode } from '../../src/node/broker-node.ts'

/** Until the others notice that a node was killed: its lease, and some. */
const DEATH_MS = 15_000
/** Until a node that was killed serves again. */
const RESTART_MS = 8000

describe('The interest of a node that is gone', function () {
  this.timeout(60_000)
  let world: World
  let history: History
  let nodes: readonly [SimNode, SimNode, SimNode, SimNode]

  const client = (clientId: string, home: SimNode): SimClient => {
    const { clock, trace } = world
    return new SimClient(
      {
        ...{ clock, trace, history, nodeIds: [home.nodeId] },
        dial: (nodeId, listener) => world.node(nodeId).dial(listener),
      },
      { clientId, version: 5, cleanStart: false, expirySeconds: 3600, willDelaySeconds: undefined },
      new SeededRandom(1),
    )
  }

  const subscribe = async (subscriber: SimClient, ...filters: string[]): Promise<void> => {
    for (const filter of filters) {
      subscriber.subscribe({ filter, qos: 1, barrier: 'all' })
      await world.clock.advance(500)
      assert.ok(subscriber.isSubscribed)
    }
  }

  /** It connects again by itself whenever its node is back. */
  const subscriber = async (home: SimNode, ...filters: string[]): Promise<SimClient> => {
    const subscribed = client(`sub of ${home.nodeId}`, home)
    subscribed.connect()
    await world.clock.advance(200)
    await subscribe(subscribed, ...filters)
    return subscribed
  }

  const publish = async (home: SimNode, ...topics: string[]): Promise<SimClient> => {
    const publisher = client(`pub of ${home.nodeId}`, home)
    publisher.connect()
    await world.clock.advance(200)
    for (const topic of topics) {
      assert.ok(publisher.publish(topic, 1))
      await world.clock.advance(500)
    }
    assert.ok(history.publishes.every(({ acknowledgedMs }) => acknowledgedMs !== undefined))
    return publisher
  }

  const kill = (node: SimNode): void => {
    node.isWanted = false
    node.crash('killed by the test')
  }

  const restart = async (node: SimNode): Promise<void> => {
    node.isWanted = true
    node.boot()
    await world.clock.advance(RESTART_MS)
  }

  const at = (node: SimNode): BrokerNode => {
    assert.ok(node.broker !== undefined, `${node.nodeId} does not run`)
    return node.broker
  }

  /** Messages kept for the first node. */
  const outboxOf = (node: SimNode): number =>
    at(node)
      .forwarder.peers.queues()
      .find(({ nodeId }) => nodeId === nodes[0].nodeId)?.outboxMessages ?? 0

  const keysOn = ({ disk }: SimNode): string[] =>
    [...disk.entries.keys()].filter(key => key.startsWith('gone-interest/'))
  const keptOn = (node: SimNode): number => keysOn(node).length

  const arrived = ({ nodeId }: SimNode): string[] =>
    history.deliveries
      .filter(({ clientId, isRetransmission }) => clientId === `sub of ${nodeId}` && !isRetransmission)
      .map(({ payload }) => payload)

  beforeEach(async () => {
    const latency = { baseMs: 0.2, jitterMs: 0.1, tailShare: 0, tailMs: 0, bytesPerMs: 100_000 }
    const gossip = { lost: 0, doubled: 0, delayMs: 1 }
    world = new World({ seed: 1, nodes: 4, latency, gossip, isDetailed: false })
    history = new History()
    nodes = world.nodes as unknown as typeof nodes
    for (const node of nodes) node.boot()
    await world.clock.advance(3000)
  })

  afterEach(() => assert.deepEqual(world.broken, []))

  it('is known to nodes that all restarted meanwhile: only what it wants is kept for it, and all of that once', async () => {
    const [dead, a, b, c] = nodes
    await subscriber(dead, 'wanted/exact', 'wanted/+/wild')
    kill(dead)
    await world.clock.advance(DEATH_MS)
    for (const node of [a, b, c]) kill(node)
    await world.clock.advance(1000)
    for (const node of [a, b, c]) await restart(node)
    for (const node of [a, b, c]) {
      assert.deepEqual(at(node).away.unknown, [], `${node.nodeId} knows it from its disk`)
      await publish(node, 'wanted/exact', 'else/1', 'wanted/1/wild', 'wanted/1/other', 'else/2')
      assert.equal(outboxOf(node), 2)
    }
    await restart(dead)
    await world.clock.advance(5000)
    const expected = [a, b, c].flatMap(({ nodeId }) =>
      [1, 3].map(sequence => payloadOf(`pub of ${nodeId}`, sequence)),
    )
    assert.deepEqual(arrived(dead).sort(), expected.sort())
    for (const node of [a, b, c]) assert.equal(outboxOf(node), 0)
  })

  it('is handed to a node that was away when it went', async () => {
    const [dead, a, b, c] = nodes
    const wanting = await subscriber(dead, 'wanted/exact', 'wanted/+/wild', '$share/g/jobs')
    kill(c)
    await world.clock.advance(DEATH_MS)
    await subscribe(wanting, 'wanted/late')
    kill(dead)
    await world.clock.advance(DEATH_MS)
    await restart(c)
    assert.deepEqual(at(c).away.unknown, [])
    assert.equal(at(c).interest.gone.stats.taken, 1)
    assert.equal(at(a).interest.gone.stats.given + at(b).interest.gone.stats.given, 1)
    await publish(c, 'wanted/exact', 'else/1', 'wanted/1/wild', 'wanted/late', 'wanted/1/other')
    assert.equal(outboxOf(c), 3)
    await restart(dead)
    await world.clock.advance(5000)
    assert.deepEqual(
      arrived(dead).sort(),
      [1, 3, 4].map(sequence => payloadOf(`pub of ${c.nodeId}`, sequence)),
    )
    assert.deepEqual(at(c).interest.gone.stats, { restored: 0, taken: 1, given: 0, corrupt: 0 })
  })

  it('of an earlier life is not believed: everything is kept until somebody knows the last one', async () => {
    const [dead, a, b, c] = nodes
    const wanting = await subscriber(dead, 'early')
    kill(dead)
    await world.clock.advance(DEATH_MS)
    kill(a) // whose disk has the first life
    await world.clock.advance(DEATH_MS)
    await restart(dead)
    await subscribe(wanting, 'late')
    kill(dead)
    await world.clock.advance(DEATH_MS)
    kill(b)
    kill(c)
    await world.clock.advance(DEATH_MS)
    await restart(a)
    assert.ok(at(a).away.unknown.includes(dead.nodeId))
    const publisher = await publish(a, 'late', 'else')
    const everything = outboxOf(a)
    assert.ok(everything >= 2)
    await restart(b)
    assert.ok(!at(a).away.unknown.includes(dead.nodeId))
    for (const topic of ['late', 'else', 'early', 'else/too']) publisher.publish(topic, 1)
    await world.clock.advance(500)
    assert.equal(outboxOf(a) - everything, 2, 'one for each of its filters')
  })

  it('is kept on disk no longer once the node is back, or given up', async () => {
    const [dead, a, b] = nodes
    await subscriber(dead, 'wanted')
    kill(dead)
    await world.clock.advance(DEATH_MS)
    assert.ok(keptOn(a) > 0)
    await restart(dead)
    assert.equal(keptOn(a), 0)
    kill(dead)
    await world.clock.advance(DEATH_MS)
    assert.ok(keptOn(b) > 0)
    const retired = at(a).coordinator.retire(dead.nodeId)
    await world.clock.advance(2000)
    assert.equal(await retired, 'retired')
    assert.deepEqual([keptOn(a), keptOn(b)], [0, 0])
  })

  it('that cannot be read from disk is taken from a peer instead', async () => {
    const [dead, a, b] = nodes
    await subscriber(dead, 'wanted')
    kill(dead)
    await world.clock.advance(DEATH_MS)
    kill(a)
    for (const key of keysOn(a).slice(1, 2)) a.disk.entries.get(key)?.fill(0xff, 12, 40)
    await restart(a)
    assert.deepEqual(at(a).away.unknown, [])
    assert.deepEqual(at(a).interest.gone.stats, { restored: 0, taken: 1, given: 0, corrupt: 1 })
    assert.ok(b.broker !== undefined)
  })
})
