/**
 * A process that builds a node's routing structures and says what they take; started by structure-readings.ts with the number of
 * filters. Alone in its heap, so that what is measured is theirs.
 */
import { heapGrowth } from '../../bench/calls/heap-growth.ts'
import { measureChanges, fillIndex } from '../../bench/calls/remote-changes.ts'
import { bytesPerSubscription } from '../../bench/calls/subscription-bytes.ts'
import { HashedRemoteIndex } from '../../routing/remote-index.ts'
import { TopicTreeRetainedIndex } from '../../routing/retained-index.ts'
import type { StructureAnswer } from './structure-protocol.ts'

const NODES = 20
const RETAINED_BYTES = 500
const CHANGES = 200_000

const [countText = ''] = process.argv.slice(2)
const count = Number(countText)

function patterns(): { perPattern: number; perFurtherNode: number } {
  const index = new HashedRemoteIndex('calibrate')
  const announce = (node: number): HashedRemoteIndex => {
    const interest = index.node(`node-${node}`)
    for (let i = 0; i < count; i++) interest.setPattern('', `site/${i}/+/device-${i}/#`, 1)
    return index
  }
  const first = heapGrowth(() => announce(0))
  const others = heapGrowth(() => Array.from({ length: NODES - 2 }, (_, i) => announce(i + 1)))
  return { perPattern: first / count, perFurtherNode: others / (count * (NODES - 2)) }
}

function retained(): number {
  const grown = heapGrowth(() => {
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
    ...{ perPattern, perFurtherNode, perRetained: retained(), perSubscription: bytesPerSubscription(count) },
    usPerChange: 1e6 / measureChanges(fillIndex(NODES, count * 10), NODES, CHANGES),
  }
  process.send?.(answer)
})
process.on('disconnect', () => process.exit(0))
