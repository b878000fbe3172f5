import { CoordinationKeys } from '../../coordination/keys.ts'
import { SessionClaims } from '../../coordination/session-claims.ts'
import { isAtRevision, isPresent } from '../../coordination/store-calls.ts'
import type { CoordinationStore } from '../../src/core/ports/coordination-store.ts'
import type { Logger } from '../../src/core/ports/logger.ts'
import { SeededRandom } from '../ports/seeded-random.ts'
import { SimCoordinationService } from '../ports/sim-coordination-store.ts'
import { VirtualClock } from '../ports/virtual-clock.ts'
import { queuedStore, type StoreCosts } from './queued-store.ts'
import { percentile } from './regression.ts'

const NODE = 'node-0'
const WARM_UP_MS = 300
const MEASURED_MS = 5000

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent }

export interface ClaimLoad {
  /** By the node's own batches, or a transaction each. */
  readonly how: 'batched' | 'single'
  /** So many under way at any time, or so many begun every second. */
  readonly load: { readonly underWay: number } | { readonly perSecond: number }
}

export interface ClaimFigures {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
}

/** What claims come to when a store with these costs is all that takes time: the node's own code in virtual time. */
export async function modelClaims({ how, load }: ClaimLoad, costs: StoreCosts): Promise<ClaimFigures> {
  const clock = new VirtualClock()
  const random = new SeededRandom(1)
  const store = queuedStore(new SimCoordinationService(clock), clock, random, costs)
  const keys = new CoordinationKeys('calibrate')
  const member = keys.member(NODE, 1)
  const registered = store.transact({
    compare: [],
    success: [{ type: 'put', key: member, value: new Uint8Array(1) }],
    failure: [],
  })
  await clock.advance(1000)
  await registered
  const claims = new SessionClaims({
    ...{ store, clock, random, logger: silent, keys, nodeId: NODE },
    presence: { isActive: () => true, generation: 0 },
    membership: { isLive: () => false, list: () => [] },
    onOwnerLost: 'wait',
    ownerLostGraceMs: 10_000,
    mayTakeFrom: () => true,
    isNearlyFull: () => false,
    isStaged: () => false,
    ask: () => Promise.resolve('unreachable'),
  })
  claims.start(1, 1)
  const claim = how === 'batched' ? batched(claims) : single(store, keys, member)
  const startMs = clock.now() + WARM_UP_MS
  const endMs = startMs + MEASURED_MS
  const latencies: number[] = []
  let count = 0
  const one = async (): Promise<void> => {
    const fromMs = clock.now()
    await claim(`client-${++count}`)
    if (clock.now() >= startMs && clock.now() < endMs) latencies.push(clock.now() - fromMs)
  }
  if ('underWay' in load) {
    const loop = async (): Promise<void> => {
      while (clock.now() < endMs) await one()
    }
    for (let i = 0; i < load.underWay; i++) void loop()
  } else {
    const timer = clock.repeat(1000 / load.perSecond, () => void one())
    clock.schedule(endMs - clock.now(), () => timer.cancel())
  }
  await clock.advance(endMs - clock.now() + 1000)
  await store.close()
  return {
    perSecond: (latencies.length / MEASURED_MS) * 1000,
    p50: percentile(latencies, 50),
    p99: percentile(latencies, 99),
  }
}

function batched(claims: SessionClaims) {
  return async (clientId: string): Promise<void> => {
    const request = { clientId, cleanStart: false, expiryIntervalSeconds: 3600, will: undefined }
    const { status } = await claims.claim(request)
    if (status === 'refused') throw new Error('a claim of a new session was refused')
  }
}

function single(store: CoordinationStore, keys: CoordinationKeys, member: string) {
  const value = new Uint8Array(100)
  return async (clientId: string): Promise<void> => {
    const key = keys.session(clientId)
    await store.transact({
      compare: [isAtRevision(key, 0), isPresent(member)],
      success: [{ type: 'put', key, value }],
      failure: [],
    })
  }
}
