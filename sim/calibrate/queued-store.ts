/**
 * A simulated store that takes time, as etcd does: it writes to its log, all at once, what has come while it wrote before. A write
 * takes so long by itself, and for every transaction in it and every claim in that; the answers come together, after what the way takes.
 *
 * It knows nothing of what the operations are. Invariant: transactions are carried out in the order asked.
 */
import { BATCHES_UNDER_WAY_MAX, OPERATIONS_MAX } from '../../coordination/claim-batcher.ts'
import type {
  CoordinationOutcome,
  CoordinationStore,
  CoordinationTransaction,
} from '../../src/core/ports/coordination-store.ts'
import type { Random } from '../../src/core/ports/random.ts'
import type { Constants } from '../constants/constants.ts'
import type { SimCoordinationService } from '../ports/sim-coordination-store.ts'
import type { VirtualClock } from '../ports/virtual-clock.ts'

/** With how many under way, one claim each, etcd is measured. */
export const SINGLE_CLAIMS = 64

/** Milliseconds. */
export interface StoreCosts {
  readonly perWrite: number
  readonly perTransaction: number
  readonly perClaim: number
  /** 99th percentile of what comes on top now and then, and keeps nobody waiting but the caller. */
  readonly wayP99: number
}

/**
 * Three equations for three unknowns: a claim alone takes what a write takes at low load. Of so many under way always, one is
 * written at once when their write ends and the others in the next, so two writes carry all of them: of single claims, and of batches.
 */
export function storeCosts({ values }: Constants): StoreCosts {
  const alone = values['etcd.writeMsP50'].value
  const singles = 1000 / values['etcd.claimsPerSecondSingle'].value
  const batches = (1000 * OPERATIONS_MAX) / values['etcd.claimsPerSecondBatched'].value
  const perWrite = Math.max(0, (alone - singles) / (1 - 2 / SINGLE_CLAIMS))
  const single = Math.max(0, singles - (2 * perWrite) / SINGLE_CLAIMS)
  const batch = Math.max(single, batches - (2 * perWrite) / BATCHES_UNDER_WAY_MAX)
  const perClaim = (batch - single) / (OPERATIONS_MAX - 1)
  const perTransaction = Math.max(0, single - perClaim)
  return { perWrite, perTransaction, perClaim, wayP99: Math.max(0, values['etcd.writeMsP99'].value - alone) }
}

/** A client of the service whose transactions queue; other calls take the service's own time. */
export function queuedStore(
  service: SimCoordinationService,
  clock: VirtualClock,
  random: Random,
  costs: StoreCosts,
): CoordinationStore {
  const rest = service.connect()
  const wait = (ms: number): Promise<void> => new Promise(resolve => clock.schedule(ms, () => resolve()))
  let waiting: { readonly claims: number; readonly written: () => void }[] = []
  let isWriting = false
  const writeNext = (): void => {
    isWriting = waiting.length > 0
    if (!isWriting) return
    const batch = waiting
    waiting = []
    const claims = batch.reduce((sum, { claims }) => sum + claims, 0)
    const ms = costs.perWrite + batch.length * costs.perTransaction + claims * costs.perClaim
    clock.schedule(ms, () => {
      for (const { written } of batch) written()
      writeNext()
    })
  }
  const transact = async (transaction: CoordinationTransaction): Promise<CoordinationOutcome> => {
    const nested = transaction.success.filter(({ type }) => type === 'transaction').length
    await new Promise<void>(written => {
      waiting.push({ claims: Math.max(1, nested), written })
      if (!isWriting) writeNext()
    })
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

/** Nothing in half of all cases, and exponential beyond, so that the 99th percentile is met. */
function wayMs(random: Random, { wayP99 }: StoreCosts): number {
  const fraction = random.fraction()
  return fraction < 0.5 ? 0 : (-Math.log((1 - fraction) * 2) * wayP99) / Math.log(50)
}
