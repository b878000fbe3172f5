/**
 * Builds the index of one node's own clients at full size, with the maps their sessions keep, and the counting bloom filter
 * the node announces: production structures only.
 *
 * Clients are mere receivers here; what a connected client costs beside its subscriptions is a constant of its own.
 */
import { bloomBitsFor } from '../../gossip/bloom-sizing.ts'
import { CountingBloom } from '../../gossip/counting-bloom.ts'
import { TrieLocalIndex } from '../../routing/local-index.ts'
import { TopicHasher } from '../../src/core/interest-hash.ts'
import type { LocalDelivery, LocalSubscription } from '../../src/core/ports/routing.ts'
import { hasWildcard } from '../../src/core/topic.ts'
import { SeededRandom } from '../ports/seeded-random.ts'
import type { LocalResult, LocalTask, Meter, OnProgress } from './build-result.ts'
import {
  alarmTopic,
  clientName,
  exactFilter,
  sharedFilter,
  strayTopic,
  wildcardFilter,
} from './filter-names.ts'
import { nanosecondsPerCall, probesOf } from './match-timing.ts'
import { clusterName } from './remote-build.ts'

const PROGRESS_CLIENTS = 1 << 14

/** A session as routing sees it, with the map of its subscriptions as sessions keep it. */
class Receiver implements LocalDelivery {
  readonly clientId: string
  readonly canTakeShared = true
  readonly subscriptions = new Map<string, LocalSubscription>()

  constructor(clientId: string) {
    this.clientId = clientId
  }

  deliver(): void {}
}

export function buildLocal(task: LocalTask, meter: Meter, onProgress: OnProgress): LocalResult {
  const random = new SeededRandom(task.seed)
  const index = new TrieLocalIndex()
  const emptyHeap = meter.heapBytes()
  const startMs = meter.now()
  const clients: Receiver[] = []
  let exact = 0
  for (let client = 0; client < task.clients; client++) {
    const receiver = new Receiver(clientName(client))
    clients.push(receiver)
    for (let i = 0; i < task.subscriptionsPerClient; i++) {
      const subscription = draw(task, random, receiver, exact)
      if (subscription.group === undefined && !hasWildcard(subscription.filter)) exact++
      index.add(subscription)
      receiver.subscriptions.set(`${subscription.group ?? ''}/${subscription.filter}`, subscription)
    }
    if (client % PROGRESS_CLIENTS === 0) onProgress(client, task.clients)
  }
  const heapBytes = Math.max(0, meter.heapBytes() - emptyHeap)
  const bloom = countingBloomOf(index, task.seed)
  const buildMs = meter.now() - startMs
  const exactFilters = index.filterCount - index.groupCount - index.wildcardFilters.size
  const probes = probesOf(exactFilters)
  const hits = Array.from({ length: Math.min(probes, exactFilters) }, () =>
    exactFilter(Math.floor(random.fraction() * exactFilters), task.wildcardFilters),
  )
  const strays = Array.from({ length: probes }, () => strayTopic(random.uint32()))
  const alarms = Array.from({ length: probes }, () =>
    alarmTopic(Math.floor(random.fraction() * Math.max(1, task.wildcardFilters)), random.uint32()),
  )
  let missed = 0
  for (const topic of hits) if (index.match(topic).length === 0) missed++
  const match = (topic: string): unknown => index.match(topic)
  return {
    kind: 'local',
    clients: clients.length,
    subscriptions: index.subscriptionCount,
    exactFilters,
    filters: index.filterCount,
    bits: bloom.bits,
    // Four bits of count and one of presence per position.
    bloomBytes: (2 ** bloom.bits * 5) / 8,
    hits: hits.length,
    missed,
    measured: {
      buildMs,
      heapBytes,
      hitNs: nanosecondsPerCall(meter, hits, match),
      strayNs: nanosecondsPerCall(meter, strays, match),
      wildcardNs: nanosecondsPerCall(meter, alarms, match),
    },
  }
}

/** How many different filters without wildcards there are to be. */
function differentOf({
  clients,
  subscriptionsPerClient,
  distinctShare,
  wildcardShare,
  sharedShare,
}: LocalTask): number {
  const exact = clients * subscriptionsPerClient * (1 - wildcardShare - sharedShare)
  return Math.max(1, Math.ceil(exact * distinctShare))
}

/** `exact`: how many subscriptions without wildcards there have been; they take the different filters in turn. */
function draw(
  task: LocalTask,
  random: SeededRandom,
  subscriber: LocalDelivery,
  exact: number,
): LocalSubscription {
  const options = {
    subscriber,
    qos: 1,
    noLocal: false,
    retainAsPublished: false,
    subscriptionIdentifiers: NO_IDENTIFIERS,
  } as const
  const kind = random.fraction()
  if (kind < task.wildcardShare) {
    const filter = wildcardFilter(Math.floor(random.fraction() * task.wildcardFilters))
    return { ...options, filter, group: undefined }
  }
  if (kind < task.wildcardShare + task.sharedShare)
    return { ...options, ...sharedFilter(Math.floor(random.fraction() * task.sharedGroups)) }
  const filter = exactFilter(exact % differentOf(task), task.wildcardFilters)
  return { ...options, filter, group: undefined }
}

const NO_IDENTIFIERS: readonly number[] = []

function countingBloomOf(index: TrieLocalIndex, seed: number): CountingBloom {
  const hasher = new TopicHasher(clusterName(seed))
  const bloom = new CountingBloom(bloomBitsFor(index.filterCount))
  for (const filter of index.filters()) {
    if (hasWildcard(filter)) continue
    hasher.hash(filter)
    bloom.add(hasher.low, hasher.high)
  }
  return bloom
}
