import { Qlobber } from 'qlobber'
import { TrieLocalIndex } from '../../routing/local-index.ts'
import type { LocalSubscription } from '../../src/core/ports/routing.ts'
import { nanosecondsPerCall } from './measured-calls.ts'
import { bytesPerSubscription } from './subscription-bytes.ts'

export interface LocalMatchSizes {
  /** Half of them with wildcards. */
  readonly filters: number
  /** Many more than the index remembers. */
  readonly topics: number
  /** With ten subscriptions each, whose memory is measured. */
  readonly clients: number
}

const subscriber = { clientId: 'c', canTakeShared: true, deliver() {} }

function subscription(filter: string): LocalSubscription {
  return {
    filter,
    group: undefined,
    qos: 0,
    noLocal: false,
    retainAsPublished: false,
    subscriptionIdentifiers: [],
    subscriber,
  }
}

/**
 * Nanoseconds per match of a topic with the filters of this node's own clients, and with the same ones in a plain trie of the
 * `qlobber` package; bytes of a subscription.
 */
export function localMatchFigures({ filters, topics, clients }: LocalMatchSizes): Record<string, number> {
  const filterOf = (i: number): string =>
    i % 2 === 0 ? `site/${i}/sensor/temperature` : `site/${i}/+/state/#`
  const index = new TrieLocalIndex()
  const trie = new Qlobber<number>({ separator: '/', wildcard_one: '+', wildcard_some: '#' })
  for (let i = 0; i < filters; i++) {
    index.add(subscription(filterOf(i)))
    trie.add(filterOf(i), i)
  }
  const fresh = (make: (i: number) => string): string[] =>
    // Out of bytes, as they come from the network: a string put together is a tree until its first use.
    Array.from({ length: topics }, (_, i) => Buffer.from(make(i)).toString())
  const half = filters / 2
  const exact = fresh(i => `site/${(i * 2) % filters}/sensor/temperature`).slice(0, half)
  const wildcards = fresh(i => `site/${(i % half) * 2 + 1}/x${i}/state/on`)
  const misses = fresh(i => `nowhere/${i}/at/all`)
  const match = (of: readonly string[]): number =>
    nanosecondsPerCall(topics, i => index.match(of[i % of.length] as string))
  const qlobber = (of: readonly string[]): number =>
    nanosecondsPerCall(topics, i => trie.match(of[i % of.length] as string))
  return {
    exactNs: match(exact),
    rememberedNs: match(exact.slice(0, 1)),
    wildcardNs: match(wildcards),
    missNs: match(misses),
    qlobberExactNs: qlobber(exact),
    qlobberWildcardNs: qlobber(wildcards),
    bytesPerSubscription: bytesPerSubscription(clients),
  }
}
