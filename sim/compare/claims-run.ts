/**
 * Claims of a cluster's nodes through one store, in virtual time: batched by production's `ClaimBatcher`, or each a transaction of
 * its own. The store is busy for as long as measured transactions are, so that what queues behind it is what would.
 */
import { ClaimBatcher, OPERATIONS_MAX } from '../../coordination/claim-batcher.ts'
import { newClaimStats } from '../../coordination/claim-stats.ts'
import type { CoordinationStore, CoordinationTransaction } from '../../src/core/ports/coordination-store.ts'
import { SeededRandom } from '../ports/seeded-random.ts'
import { VirtualClock } from '../ports/virtual-clock.ts'
import { settling } from '../world/ambient.ts'
import { QueueStore, type ServiceTime } from './queue-store.ts'

export interface ClaimsTask {
  readonly kind: 'claims'
  readonly isBatched: boolean
  readonly seed: number
  readonly nodes: number
  /** Of all nodes together, at random times. */
  readonly claimsPerSecond: number
  /** How many in all. */
  readonly claims: number
  readonly service: ServiceTime
}

export interface ClaimsResult {
  readonly claims: number
  readonly transactions: number
  /** From the first claim to the last answer. */
  readonly seconds: number
  readonly p50Ms: number
  readonly p99Ms: number
}

export async function runClaims(task: ClaimsTask): Promise<ClaimsResult> {
  const clock = new VirtualClock(settling())
  const store = new QueueStore(clock, task.service)
  const random = new SeededRandom(task.seed)
  const context = { store: store as unknown as CoordinationStore, clock }
  const batchers = Array.from(
    { length: task.nodes },
    (_, i) => new ClaimBatcher(context, () => `member-${i}`, newClaimStats()),
  )
  const tookMs: number[] = []
  let endMs = 0
  let atMs = 0
  for (let claim = 0; claim < task.claims; claim++) {
    atMs += (-Math.log(1 - random.fraction()) * 1000) / task.claimsPerSecond
    const dueMs = atMs
    const batcher = batchers[random.uint32() % task.nodes] as ClaimBatcher
    const done = (): void => {
      endMs = clock.now()
      tookMs.push(endMs - dueMs)
    }
    clock.schedule(dueMs, () => {
      const transaction = claimOf(claim)
      const answered = task.isBatched
        ? batcher.submit(`client-${claim}`, () => transaction, Infinity)
        : store.transact({ compare: [], success: [{ type: 'transaction', transaction }], failure: [] })
      void answered.then(done)
    })
  }
  while (tookMs.length < task.claims) await clock.advance(1000)
  tookMs.sort((a, b) => a - b)
  const at = (share: number): number =>
    tookMs[Math.min(tookMs.length - 1, Math.floor(tookMs.length * share))] ?? 0
  return {
    claims: task.claims,
    transactions: store.transactions,
    seconds: endMs / 1000,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
  }
}

const RECORD = new Uint8Array(150)

function claimOf(client: number): CoordinationTransaction {
  const key = `/grapevine/mesh/sessions/${String(client % 4096).padStart(4, '0')}/client-${client}`
  return { compare: [], success: [{ type: 'put', key, value: RECORD }], failure: [{ type: 'get', key }] }
}

/** As follows from the rates of single claims and of full transactions. */
export function serviceTime(singlePerSecond: number, batchedPerSecond: number): ServiceTime {
  const oneMs = 1000 / singlePerSecond
  const fullMs = (1000 * OPERATIONS_MAX) / batchedPerSecond
  const nestedMs = Math.max(0, (fullMs - oneMs) / (OPERATIONS_MAX - 1))
  return { baseMs: Math.max(0, oneMs - nestedMs), nestedMs }
}
