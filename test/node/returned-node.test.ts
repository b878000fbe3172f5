import assert from 'node:assert/strict'
import { History, payloadOf } from '../../sim/clients/history.ts'
import { SimClient } from '../../sim/clients/sim-client.ts'
import { SeededRandom } from '../../sim/ports/seeded-random.ts'
import type { SimNode } from '../../sim/world/sim-node.ts'
import { World } from '../../sim/world/world.ts'

/** Until the others notice that a node has stopped, which its lease outlives by a little, and some. */
const AWAY_MS = 15_000

describe('A node that was no member for a while, and has no link yet with one that was', function () {
  this.timeout(60_000)

  it('keeps what it takes for a subscription that came into force without it', async () => {
    const latency = { baseMs: 0.2, jitterMs: 0.1, tailShare: 0, tailMs: 0, bytesPerMs: 100_000 }
    // Digests alone say what has changed: they need the link that is missing.
    const gossip = { lost: 1, doubled: 0, delayMs: 1 }
    const world = new World({ seed: 1, nodes: 3, latency, gossip, isDetailed: false })
    const history = new History()
    const [home, returned] = world.nodes as unknown as readonly [SimNode, SimNode]
    const client = async (clientId: string, { nodeId }: SimNode): Promise<SimClient> => {
      const made = new SimClient(
        {
          ...{ clock: world.clock, trace: world.trace, history, nodeIds: [nodeId] },
          dial: (at, listener) => world.node(at).dial(listener),
        },
        { clientId, version: 5, cleanStart: false, expirySeconds: 3600, willDelaySeconds: undefined },
        new SeededRandom(1),
      )
      made.connect()
      await world.clock.advance(500)
      return made
    }
    for (const node of world.nodes) node.boot()
    await world.clock.advance(3000)
    const publisher = await client('pub', returned)
    returned.stop()
    await world.clock.advance(AWAY_MS)
    const subscriber = await client('sub', home)
    subscriber.subscribe({ filter: 'wanted', qos: 1, barrier: 'all' })
    await world.clock.advance(4000)
    assert.ok(subscriber.isSubscribed)

    const ways = [
      [home.nodeId, returned.nodeId],
      [returned.nodeId, home.nodeId],
    ] as const
    for (const way of ways) world.conditions.block(...way)
    returned.continue(false)
    await world.clock.advance(5000)
    publisher.connect()
    await world.clock.advance(2000)
    assert.ok(publisher.publish('wanted', 1))
    await world.clock.advance(5000)
    assert.ok(history.publishes.every(({ acknowledgedMs }) => acknowledgedMs !== undefined))
    for (const way of ways) world.conditions.unblock(...way)
    await world.clock.advance(10_000)
    const arrived = history.deliveries.filter(({ clientId }) => clientId === 'sub')
    assert.deepEqual(
      arrived.map(({ payload }) => payload),
      [payloadOf('pub', 1)],
    )
    assert.deepEqual(world.broken, [])
  })
})
