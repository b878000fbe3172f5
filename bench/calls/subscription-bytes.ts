import { TrieLocalIndex } from '../../routing/local-index.ts'
import type { LocalSubscription } from '../../src/core/ports/routing.ts'
import { heapGrowth } from './heap-growth.ts'

const SUBSCRIPTIONS_EACH = 10

/** Bytes of memory per subscription, of clients with ten each, with the maps that their sessions keep. */
export function bytesPerSubscription(clients: number): number {
  const grown = heapGrowth(() => {
    const index = new TrieLocalIndex()
    const kept: Map<string, LocalSubscription>[] = []
    for (let client = 0; client < clients; client++) {
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
  return grown / (clients * SUBSCRIPTIONS_EACH)
}
