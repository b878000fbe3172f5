/**
 * A simulated store that takes time: transactions are carried out one after the other, each for what it costs to begin and for
 * every operation in it, and the answer comes after what the way takes.
 *
 * It knows nothing of what the operations are. Invariant: at most one transaction is being carried out at a time, in the order asked.
 */
import type {
  CoordinationOutcome,
  CoordinationStore,
  CoordinationTransaction,
} from '../../src/core/ports/coordination-store.ts'
import type { Random } from '../../src/core/ports/random.ts'
import type { Constants } from '../constants/constants.ts'
import type { SimCoordinationService } from '../ports/sim-coordination-store.ts'
import type { VirtualClock } from '../ports/virtual-clock.ts'

/** What a batch of the node's own holds at most. */
const BATCH = 120

/** Milliseconds. */
export interface StoreCosts {
  readonly perTransaction: number
  readonly perClaim: number
  /** Median of what comes on top and keeps nobody waiting but the caller, and its 99th percentile. */
  readonly wayP50: number
  readonly wayP99: number
}

/**
 * Two equations for two unknowns: a transaction with one claim takes what single claims take, and one with a full batch as long as
 * so many batched ones.
 */
export function storeCosts({ values }: Constants): StoreCosts {
  const single = 1000 / values['etcd.claimsPerSecondSingle'].value
  const full = (1000 * BATCH) / values['etcd.claimsPerSecondBatched'].value
  const perClaim = Math.max(0, (full - single) / (BATCH - 1))
  const perTransaction = Math.max(0, single - perClaim)
  const wayP50 = Math.max(0, values['etcd.writeMsP50'].value - perTransaction - perClaim)
  const wayP99 = Math.max(wayP50, values['etcd.writeMsP99'].value - perTransaction - perClaim)
  return { perTransaction, perClaim, wayP50, wayP99 }
}

/** A client of the service whose transactions queue; other calls take the service's own time. */
export function queuedStore(
  service: SimCoordinationService,
  clock: VirtualClock,
  random: Random,
  costs: StoreCosts,
): CoordinationStore {
  const rest = service.connect()
  let freeAtMs = 0
  const wait = (ms: number): Promise<void> => new Promise(resolve => clock.schedule(ms, () => resolve()))
  const transact = async (transaction: CoordinationTransaction): Promise<CoordinationOutcome> => {
    const nested = transaction.success.filter(({ type }) => type === 'transaction').length
    freeAtMs = Math.max(freeAtMs, clock.now()) + costs.perTransaction + Math.max(1, nested) * costs.perClaim
    await wait(freeAtMs - clock.now())
    const result = service.state.transact(transaction)
    service.settle()
    await wait(wayMs(random, costs))
    return 'refused' in result
      ? { outcome: 'unavailable', reason: result.refused, isRefusal: true }
      : { outcome: 'done', result }
  }
  return {
    transact,
    get: key => rest.get(key),
    range: prefix => rest.range(prefix),
    grantLease: ttlMs => rest.grantLease(ttlMs),
    keepAlive: leaseId => rest.keepAlive(leaseId),
    revokeLease: leaseId => rest.revokeLease(leaseId),
    watch: (prefix, watcher) => rest.watch(prefix, watcher),
    compact: revision => rest.compact(revision),
    status: () => rest.status(),
    close: () => rest.close(),
  }
}

/** Exponential beyond the median, so that the 99th percentile is met. */
function wayMs(random: Random, { wayP50, wayP99 }: StoreCosts): number {
  const fraction = random.fraction()
  if (fraction < 0.5) return wayP50
  const mean = (wayP99 - wayP50) / Math.log(50)
  return wayP50 - Math.log((1 - fraction) * 2) * mean
}
