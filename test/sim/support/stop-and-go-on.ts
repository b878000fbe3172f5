import assert from 'node:assert/strict'
import type { Violation } from '../../../sim/checkers/checker.ts'
import { fencesItself } from '../../../sim/checkers/fences-itself.ts'
import { oneOwner } from '../../../sim/checkers/one-owner.ts'
import { History } from '../../../sim/clients/history.ts'
import { SimClient } from '../../../sim/clients/sim-client.ts'
import { SeededRandom } from '../../../sim/ports/seeded-random.ts'
import { isolated } from '../../../sim/world/ambient.ts'
import { STORE } from '../../../sim/world/network-conditions.ts'
import { World } from '../../../sim/world/world.ts'
import { OutcomeBuilder } from './outcome-builder.ts'

export interface FencingResult {
  /** What the checkers say of the node's acknowledgements. */
  readonly found: readonly Violation[]
  /** How many there were in all. */
  readonly acknowledged: number
  /** Whether the node serves clients in the end, without a restart. */
  readonly isBack: boolean
}

/** What keeps the node from the cluster: its clients reach it while it is cut off. */
export type Outage = 'stopped' | 'cut off'

/** Draws 0.99 for ever: a client with it leaves the connections it gives up open. */
class High extends SeededRandom {
  override fraction(): number {
    return 0.99
  }
}

/**
 * node-0 is stopped with a client's message in its socket, or cut off from the store and node-1; once its lease has run out
 * the client is served by node-1, a message comes on its old connection to a node that is cut off, and node-0 goes on.
 * `isFenced` false: it believes that it may acknowledge all the same.
 */
export async function stopAndGoOn(isFenced: boolean, outage: Outage): Promise<FencingResult> {
  const latency = { baseMs: 0.2, jitterMs: 0.1, tailShare: 0, tailMs: 0, bytesPerMs: 100_000 }
  const gossip = { lost: 0, doubled: 0, delayMs: 1 }
  const world = new World({ seed: 1, nodes: 2, latency, gossip, isDetailed: false })
  if (!isFenced) {
    world.onProcess = broker => {
      broker.coordinator.mayAcknowledge = () => true
    }
  }
  const history = new History()
  const { clock, trace, nodes, conditions } = world
  const ways = [STORE, 'node-1'].flatMap(site => [['node-0', site] as const, [site, 'node-0'] as const])
  const client = (): SimClient =>
    new SimClient(
      {
        clock,
        trace,
        history,
        nodeIds: nodes.map(({ nodeId }) => nodeId),
        dial: (nodeId, listener) => world.node(nodeId).dial(listener),
      },
      { clientId: 'c', version: 5, cleanStart: true, expirySeconds: 0, willDelaySeconds: undefined },
      new High(1),
    )
  await isolated(
    async () => {
      for (const node of nodes) node.boot()
      await clock.advance(2000)
      const before = client()
      before.connect('node-0')
      await clock.advance(100)
      if (outage === 'stopped') {
        nodes[0]?.stop()
        before.publish('t', 1)
      } else for (const [from, to] of ways) conditions.block(from, to)
      before.settleDown()
      await clock.advance(20_000)
      client().connect('node-1')
      await clock.advance(2000)
      if (outage === 'cut off') {
        before.publish('t', 1)
        await clock.advance(2000)
        for (const [from, to] of ways) conditions.unblock(from, to)
      } else nodes[0]?.continue(false)
      await clock.advance(10_000)
    },
    reason => world.reportBroken(String(reason)),
  )
  assert.deepEqual(
    history.connections.map(({ nodeId, reasonCode }) => [nodeId, reasonCode]),
    [
      ['node-0', 0],
      ['node-1', 0],
    ],
  )
  const { outcome } = new OutcomeBuilder()
  const { pauses, renewals } = world
  const found = [oneOwner, fencesItself].flatMap(check => check({ ...outcome, history, pauses, renewals }))
  const isBack = world.node('node-0').isReady && world.starts.length === nodes.length
  return { found, acknowledged: history.acknowledgements.length, isBack }
}
