import assert from 'node:assert/strict'
import { STORE } from '../../sim/world/network-conditions.ts'
import type { SimNode } from '../../sim/world/sim-node.ts'
import { World } from '../../sim/world/world.ts'

describe('A node that is suspended while it joins', function () {
  this.timeout(60_000)

  it('serves as soon as its lease is renewed, if nothing else is missing by then', async () => {
    const latency = { baseMs: 0.2, jitterMs: 0.1, tailShare: 0, tailMs: 0, bytesPerMs: 100_000 }
    const gossip = { lost: 0, doubled: 0, delayMs: 1 }
    const world = new World({ seed: 1, nodes: 2, latency, gossip, isDetailed: false })
    const [first, joining] = world.nodes as unknown as readonly [SimNode, SimNode]
    const links = [
      [first.nodeId, joining.nodeId],
      [joining.nodeId, first.nodeId],
    ] as const
    const toStore = [
      [joining.nodeId, STORE],
      [STORE, joining.nodeId],
    ] as const
    first.boot()
    await world.clock.advance(3000)
    for (const way of links) world.conditions.block(...way)
    joining.boot()
    await world.clock.advance(3000)
    for (const way of toStore) world.conditions.block(...way)
    await world.clock.advance(8000)
    for (const way of links) world.conditions.unblock(...way)
    await world.clock.advance(500)
    const missing = (): string[] =>
      (joining.broker?.readiness() ?? []).flatMap(({ name, ok }) => (ok ? [] : name))
    assert.deepEqual(missing(), ['coordination', 'interest', 'listeners'])
    for (const way of toStore) world.conditions.unblock(...way)
    await world.clock.advance(2000)
    assert.deepEqual(missing(), [])
  })
})
