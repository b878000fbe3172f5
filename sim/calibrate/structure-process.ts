/**
 * A process that builds a node's routing structures and says what they take; started by structure-readings.ts with the number of
 * filters. Alone in its heap, so that what is measured is theirs.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { measureChanges, fillIndex } from '../../bench/remote-changes.ts'
import { TrieLocalIndex } from '../../routing/local-index.ts'
import { HashedRemoteIndex } from '../../routing/remote-index.ts'
import { TopicTreeRetainedIndex } from '../../routing/retained-index.ts'
import type { LocalSubscription } from '../../src/core/ports/routing.ts'
import type { StructureAnswer } from './structure-protocol.ts'

const NODES = 20
const RETAINED_BYTES = 500
const SUBSCRIPTIONS_EACH = 10
const CHANGES = 200_000

const [countText = ''] = process.argv.slice(2)
const count = Number(countText)
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Bytes by which memory grew while `build` made something, which is kept until it was measured. */
function growth(build: () => unknown): number {
  collectGarbage()
  const before = process.memoryUsage()
  const built = build()
  collectGarbage()
  const after = process.memoryUsage()
  if (built === undefined) throw new Error('nothing was built')
  return after.heapUsed + after.external - before.heapUsed - before.external
}

function patterns(): { perPattern: number; perFurtherNode: number } {
  const index = new HashedRemoteIndex('calibrate')
  const announce = (node: number): HashedRemoteIndex => {
    const interest = index.node(`node-${node}`)
    for (let i = 0; i < count; i++) interest.setPattern('', `site/${i}/+/device-${i}/#`, 1)
    return index
  }
  const first = growth(() => announce(0))
  const others = growth(() => Array.from({ length: NODES - 2 }, (_, i) => announce(i + 1)))
  return { perPattern: first / count, perFurtherNode: others / (count * (NODES - 2)) }
}

/** Of clients with ten subscriptions each, with the maps that their sessions keep. */
function subscriptions(): number {
  const grown = growth(() => {
    const index = new TrieLocalIndex()
    const kept: Map<string, LocalSubscription>[] = []
    for (let client = 0; client < count; client++) {
      const subscriber = { clientId: `device-${client}`, canTakeShared: true, deliver() {} }
      const own = new Map<string, LocalSubscription>()
      for (let i = 0; i < SUBSCRIPTIONS_EACH; i++) {
        const filter = `site/${client % 1000}/device-${client}/value-${i}`
        const options = { group: undefined, qos: 0, noLocal: false, retainAsPublished: false } as const
        const subscription = { filter, ...options, subscriptionIdentifiers: [], subscriber }
        index.add(subscription)
        own.set(filter, subscription)
      }
      kept.push(own)
    }
    return [index, kept]
  })
  return grown / (count * SUBSCRIPTIONS_EACH)
}

function retained(): number {
  const grown = growth(() => {
    const index = new TopicTreeRetainedIndex()
    for (let i = 0; i < count; i++)
      index.set({
        ...{ topic: `site/${i % 100}/device-${i}/state`, payload: Buffer.alloc(RETAINED_BYTES, 1) },
        ...{ qos: 0, retain: true, properties: undefined, expiresAtMs: undefined, publisher: '' },
      })
    return index
  })
  return grown / count - RETAINED_BYTES
}

process.on('message', () => {
  const { perPattern, perFurtherNode } = patterns()
  const answer: StructureAnswer = {
    ...{ perPattern, perFurtherNode, perRetained: retained(), perSubscription: subscriptions() },
    usPerChange: 1e6 / measureChanges(fillIndex(NODES, count * 10), NODES, CHANGES),
  }
  process.send?.(answer)
})
process.on('disconnect', () => process.exit(0))
