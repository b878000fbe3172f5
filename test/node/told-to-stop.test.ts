import assert from 'node:assert/strict'
import { History } from '../../sim/clients/history.ts'
import { SimClient } from '../../sim/clients/sim-client.ts'
import { SeededRandom } from '../../sim/ports/seeded-random.ts'
import type { SimNode } from '../../sim/world/sim-node.ts'
import { World } from '../../sim/world/world.ts'

describe('A node that is told to stop while a session is on its way to it', function () {
  this.timeout(60_000)

  it('keeps the session for its return, or hands it on, at whatever moment it is told [MQTT-4.1.0-1]', async () => {
    const latency = { baseMs: 30, jitterMs: 0, tailShare: 0, tailMs: 0, bytesPerMs: 100_000 }
    const gossip = { lost: 0, doubled: 0, delayMs: 1 }
    const world = new World({ seed: 1, nodes: 2, latency, gossip, isDetailed: false })
    const { clock, trace } = world
    const [staying, stopping] = world.nodes as unknown as readonly [SimNode, SimNode]
    const history = new History()
    const client = new SimClient(
      {
        clock,
        trace,
        history,
        nodeIds: [staying.nodeId],
        dial: (nodeId, listener) => world.node(nodeId).dial(listener),
      },
      { clientId: 'c', version: 5, cleanStart: false, expirySeconds: 3600, willDelaySeconds: undefined },
      new SeededRandom(1),
    )
    const comesBack = async (): Promise<void> => {
      client.connect(staying.nodeId)
      await clock.advance(15_000)
      client.disconnect()
      await clock.advance(1000)
    }
    for (const node of world.nodes) node.boot()
    await clock.advance(3000)
    await comesBack()
    for (let afterMs = 60; afterMs < 360; afterMs += 10) {
      client.connect(stopping.nodeId)
      await clock.advance(afterMs)
      stopping.restart()
      await clock.advance(500)
      await comesBack()
    }
    const established = history.connections.filter(({ reasonCode }) => reasonCode === 0)
    assert.ok(established.length > 50)
    assert.deepEqual(
      established.slice(1).filter(({ sessionPresent }) => !sessionPresent),
      [],
    )
    assert.deepEqual(world.broken, [])
  })
})
