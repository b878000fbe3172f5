import { BLOOM_BITS_MIN, SEGMENT_POSITIONS } from '../../src/core/interest-hash.ts'
import type { NodeId } from '../../src/core/ids.ts'
import type { RemoteIndex } from '../../src/core/ports/routing.ts'

/** Has another node known to want exactly these filters. */
export function wantRemotely(index: RemoteIndex, nodeId: NodeId, filters: readonly string[]): void {
  const node = index.node(nodeId)
  node.begin(BLOOM_BITS_MIN)
  node.writeSegment(0, new Uint32Array(SEGMENT_POSITIONS / 32))
  for (const filter of filters) node.setPattern('', filter, 1)
  node.setKnown(true)
}
