import { Qlobber } from 'qlobber'
import { HashedRemoteIndex } from '../../routing/remote-index.ts'
import { heapGrowth } from './heap-growth.ts'
import { nanosecondsPerCall } from './measured-calls.ts'
import { fillIndex, filterOf } from './remote-changes.ts'

export interface RemoteMatchSizes {
  readonly nodes: number
  readonly filtersPerNode: number
  readonly wildcardsPerNode: number
  /** Many more than the index remembers. */
  readonly topics: number
  /** Filters of the trie to compare with, which takes several gigabytes for ten million. */
  readonly trieFilters: number
}

/**
 * Nanoseconds per match of a topic with the filters of all other nodes, first with exact ones alone, then with wildcards too, and
 * with some of them in a plain trie of the `qlobber` package; what a filter takes, and how often a node is named for nothing.
 */
export function remoteMatchFigures(sizes: RemoteMatchSizes): Record<string, number> {
  const { nodes, filtersPerNode, wildcardsPerNode, topics, trieFilters } = sizes
  const bytesPerWildcard = bytesOfWildcard(sizes)
  const index = fillIndex(nodes, filtersPerNode)
  const fresh = (make: (i: number) => string): string[] =>
    // Out of bytes, as they come from the network: a string put together is a tree until its first use.
    Array.from({ length: topics }, (_, i) => Buffer.from(make(i)).toString())
  const exact = fresh(i => filterOf(i % nodes, (i * 7919) % filtersPerNode))
  const misses = fresh(i => `plant/${i % nodes}/device/${i}/state`)
  const match = (of: readonly string[]): number =>
    nanosecondsPerCall(topics, i => index.match(of[i % of.length] as string))
  const named = (of: readonly string[]): number =>
    of.reduce((sum, topic) => sum + index.match(topic).length, 0)
  const withoutWildcards = {
    exactNs: match(exact),
    missNs: match(misses),
    rememberedNs: match(exact.slice(0, 1)),
    tableMb: index.tableBytes / 1e6,
    bytesPerFilter: index.tableBytes / (nodes * filtersPerNode),
    wastedNobody: (100 * named(misses)) / topics,
    wastedOne: (100 * (named(exact) - topics)) / topics,
  }
  setWildcards(index, sizes)
  const wild = fresh(i => `site/${i % wildcardsPerNode}/device/${i % nodes}/${i}`)
  const trie = new Qlobber<string>({ separator: '/', wildcard_one: '+', wildcard_some: '#' })
  for (let i = 0; i < trieFilters; i++) trie.add(filterOf(i % nodes, i), `node-${i % nodes}`)
  const known = fresh(i => filterOf(i % nodes, i % trieFilters))
  return {
    ...withoutWildcards,
    bytesPerWildcard,
    exactAmongWildcardsNs: match(exact),
    wildcardNs: match(wild),
    qlobberNs: nanosecondsPerCall(topics, i => trie.match(known[i % topics] as string)),
  }
}

function setWildcards(index: HashedRemoteIndex, { nodes, wildcardsPerNode }: RemoteMatchSizes): void {
  for (let node = 0; node < nodes; node++) {
    const interest = index.node(`node-${node}`)
    for (let i = 0; i < wildcardsPerNode; i++) interest.setPattern('', `site/${i}/+/${node}/#`, 1)
  }
}

function bytesOfWildcard(sizes: RemoteMatchSizes): number {
  const index = new HashedRemoteIndex('bench')
  const grown = heapGrowth(() => {
    setWildcards(index, sizes)
    return index
  })
  return grown / (sizes.nodes * sizes.wildcardsPerNode)
}
