/**
 * A process that claims sessions through etcd with the node's own code, up to the coordination store; started by
 * claim-worker.ts with the URL of etcd, the node's id and its incarnation.
 */
import { EtcdCoordinationStore } from '../../coordination/etcd/etcd-coordination-store.ts'
import { CoordinationKeys } from '../../coordination/keys.ts'
import { SessionClaims } from '../../coordination/session-claims.ts'
import { encodeOwnership } from '../../coordination/session-record.ts'
import { isAtRevision, isPresent, newNonce } from '../../coordination/store-calls.ts'
import type { Logger } from '../../src/core/ports/logger.ts'
import type { ClaimAnswer } from '../../src/core/ports/session-ownership.ts'
import { SystemRandom } from '../../src/system/system-random.ts'
import { SystemClock } from '../../src/system/system-clock.ts'
import type { ClaimRequest, ClaimResponse, ClaimResult } from './claim-protocol.ts'

const [url = '', nodeId = '', incarnationText = ''] = process.argv.slice(2)
const incarnation = Number(incarnationText)
const clock = new SystemClock()
const random = new SystemRandom()
const keys = new CoordinationKeys('bench')
const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent }

const store = await EtcdCoordinationStore.connect({ endpoints: [url], clock, random, logger: silent })
const memberKey = keys.member(nodeId, incarnation)
await store.transact({
  compare: [],
  success: [{ type: 'put', key: memberKey, value: new Uint8Array(1) }],
  failure: [],
})
const claims = new SessionClaims({
  store,
  clock,
  random,
  logger: silent,
  keys,
  nodeId,
  presence: { isActive: () => true, generation: 0 },
  membership: { isLive: () => false, list: () => [] },
  onOwnerLost: 'wait',
  ownerLostGraceMs: 10_000,
  mayTakeFrom: () => true,
  isNearlyFull: () => false,
  isStaged: () => false,
  ask: () => Promise.resolve('unreachable'),
})
claims.start(incarnation, 1)

/** As a node does, one of a batch. */
function claimBatched(clientId: string): Promise<ClaimAnswer> {
  return claims.claim({ clientId, cleanStart: false, expiryIntervalSeconds: 3600, will: undefined })
}

/** What a claim writes and compares, in a transaction of its own. */
async function claimSingle(clientId: string): Promise<ClaimAnswer> {
  const key = keys.session(clientId)
  const value = encodeOwnership({
    node: nodeId,
    incarnation,
    epoch: 1,
    tokenRevision: 0,
    nonce: newNonce(random),
    expiry: 3600,
    how: 'new',
    sinceMs: clock.wallNow(),
  })
  const outcome = await store.transact({
    compare: [isAtRevision(key, 0), isPresent(memberKey)],
    success: [{ type: 'put', key, value }],
    failure: [{ type: 'get', key }],
  })
  if (outcome.outcome !== 'done' || !outcome.result.succeeded)
    throw new Error('a single claim did not succeed')
  const token = { epoch: 1, revision: outcome.result.revision }
  return { status: 'claimed', token, resumableToken: undefined, isTransferred: false }
}

async function run(request: ClaimRequest): Promise<ClaimResult> {
  const { prefix, warmupMs, measureMs, how } = request
  const claim = how === 'batched' ? claimBatched : claimSingle
  const latencies: number[] = []
  const startMs = performance.now() + warmupMs
  const endMs = startMs + measureMs
  let count = 0
  let cpuBefore = process.cpuUsage()
  let batchesBefore = { ...claims.stats }
  setTimeout(() => {
    cpuBefore = process.cpuUsage()
    batchesBefore = { ...claims.stats }
  }, warmupMs)
  /** Claims once, from `dueMs` on; what ends within the window is counted. */
  const one = async (dueMs: number): Promise<void> => {
    const answer = await claim(`${prefix}-${nodeId}-${++count}`)
    if (answer.status === 'refused') throw new Error(`a claim was refused: ${answer.reason}`)
    const doneMs = performance.now()
    if (doneMs >= startMs && doneMs < endMs) latencies.push(doneMs - dueMs)
  }
  if (request.kind === 'storm') {
    const loop = async (): Promise<void> => {
      while (performance.now() < endMs) await one(performance.now())
    }
    await Promise.all(Array.from({ length: request.underWay }, loop))
  } else {
    const intervalMs = 1000 / request.perSecond
    const underWay: Promise<void>[] = []
    for (let dueMs = performance.now(); dueMs < endMs; dueMs += intervalMs) {
      const waitMs = dueMs - performance.now()
      if (waitMs > 0) await new Promise(resolve => setTimeout(resolve, waitMs))
      // A timer that fires late is no latency of the claim.
      underWay.push(one(performance.now()))
    }
    await Promise.all(underWay)
  }
  const cpu = process.cpuUsage(cpuBefore)
  const cpuInAll = process.cpuUsage()
  latencies.sort((a, b) => a - b)
  const at = (percentile: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor((percentile / 100) * latencies.length))] ?? 0
  const batches = claims.stats.batches - batchesBefore.batches
  const operations = claims.stats.batchedOperations - batchesBefore.batchedOperations
  return {
    perSecond: (latencies.length / measureMs) * 1000,
    p50: at(50),
    p99: at(99),
    curve: [1, 10, 25, 50, 75, 90, 95, 99, 99.9].map(percentile => [percentile, at(percentile)]),
    cores: (cpu.user + cpu.system) / 1000 / measureMs,
    cpuSeconds: (cpuInAll.user + cpuInAll.system) / 1e6,
    perBatch: batches === 0 ? 0 : operations / batches,
  }
}

process.on('message', (request: ClaimRequest) => {
  run(request).then(
    result => process.send?.({ result } satisfies ClaimResponse),
    (error: unknown) => process.send?.({ fault: String(error) } satisfies ClaimResponse),
  )
})
process.on('disconnect', () => process.exit(0))
