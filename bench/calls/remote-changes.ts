import { TopicHasher } from '../../src/core/interest-hash.ts'
import type { RemoteNodeInterest } from '../../src/core/ports/routing.ts'
import { HashedRemoteIndex } from '../../routing/remote-index.ts'
import { bloomBitsFor } from '../../gossip/bloom-sizing.ts'
import { CountingBloom } from '../../gossip/counting-bloom.ts'
import { applyExactChanges, decodeDelta, encodeDeltas, ExactChanges } from '../../gossip/delta-codec.ts'
import { cpuMicros, medianOfRuns } from './measured-calls.ts'

/** The filters that `fillIndex` gives a node. */
export const filterOf = (node: number, i: number): string => `site/${node}/device/${i}/state`

/** The index of nodes that have so many exact filters each. */
export function fillIndex(nodes: number, filtersPerNode: number): HashedRemoteIndex {
  const hasher = new TopicHasher('bench')
  const index = new HashedRemoteIndex('bench')
  for (let node = 0; node < nodes; node++) {
    const bloom = new CountingBloom(bloomBitsFor(filtersPerNode))
    for (let i = 0; i < filtersPerNode; i++) {
      hasher.hash(filterOf(node, i))
      bloom.add(hasher.low, hasher.high)
    }
    fillNode(index.node(`node-${node}`), bloom)
  }
  return index
}

function fillNode(node: RemoteNodeInterest, bloom: CountingBloom): void {
  node.begin(bloom.bits)
  for (let i = 0; i < bloom.checksums.length; i++) node.writeSegment(i, bloom.segment(i))
  node.setKnown(true)
}

/**
 * Changes applied per second of processor time, frame decoding included: adds and removals of new filters of all nodes in
 * turn, as they come in messages.
 */
export function measureChanges(index: HashedRemoteIndex, nodes: number, count: number): number {
  const hasher = new TopicHasher('bench')
  const messages: { readonly node: RemoteNodeInterest; readonly message: Uint8Array }[] = []
  const perNode = Math.max(1, Math.round(count / nodes / 2))
  for (let node = 0; node < nodes; node++) {
    const changes = new ExactChanges()
    for (let i = 0; i < perNode; i++) {
      hasher.hash(`new/${node}/${i}`)
      changes.added(hasher.low, hasher.high)
    }
    for (let i = 0; i < perNode; i++) {
      hasher.hash(`new/${node}/${i}`)
      changes.removed(hasher.low, hasher.high, 0x1f)
    }
    const nodeId = `node-${node}`
    const delta = { nodeId, incarnation: 1, firstSequence: 1, generation: 1, exact: changes, patterns: [] }
    for (const message of encodeDeltas(delta)) messages.push({ node: index.node(nodeId), message })
  }
  return medianOfRuns(() => {
    const start = cpuMicros()
    for (const { node, message } of messages)
      applyExactChanges(decodeDelta(message)?.exact ?? new Uint8Array(0), node)
    return (perNode * nodes * 2 * 1e6) / (cpuMicros() - start)
  })
}
