import assert from 'node:assert/strict'
import type { OwnerLostPolicy } from '../../../coordination/claim-policy.ts'
import { CoordinationKeys } from '../../../coordination/keys.ts'
import { SessionClaims } from '../../../coordination/session-claims.ts'
import { decodeOwnership, type StoredOwnership } from '../../../coordination/session-record.ts'
import type { ConsentAnswer } from '../../../coordination/session-transfer-claimant.ts'
import { decodeWill } from '../../../coordination/will-record.ts'
import { SeededRandom } from '../../../sim/ports/seeded-random.ts'
import { SimCoordinationService } from '../../../sim/ports/sim-coordination-store.ts'
import { VirtualClock } from '../../../sim/ports/virtual-clock.ts'
import type { ClientId, FencingToken, NodeId } from '../../../src/core/ids.ts'
import type { CoordinationStore } from '../../../src/core/ports/coordination-store.ts'
import type { Member } from '../../../src/core/ports/membership.ts'
import type { WillRecord } from '../../../src/core/ports/session-journal.ts'
import type { ClaimAnswer, LeavingSession } from '../../../src/core/ports/session-ownership.ts'
import { until } from '../../contract/harness.ts'
import { plainHolder } from './plain-holder.ts'
import { RecordingLogger } from './recording-logger.ts'

export const keys = new CoordinationKeys('test')

interface ClaimantOptions {
  readonly onOwnerLost?: OwnerLostPolicy
  readonly keptWillBytesMax?: number
}

/** Claims of a node whose membership, promises and store size the test decides. */
export class Claimant {
  readonly claims: SessionClaims
  readonly store: CoordinationStore
  readonly logger = new RecordingLogger()
  readonly surrendered: ClientId[] = []
  mayTake = true
  mayTakeNow: (() => boolean) | undefined
  isNearlyFull = false
  /** On its disk, not claimed in this life. */
  readonly unclaimed: { readonly clientId: ClientId; readonly token: FencingToken }[] = []
  /** On their way to another node. */
  readonly leaving: LeavingSession[] = []
  /** Of the clients it serves. */
  readonly wills = new Map<ClientId, { readonly will: WillRecord; readonly dueAtMs: number | undefined }>()
  answer: ConsentAnswer | Promise<ConsentAnswer> = 'unreachable'
  /** Times an owner was asked. */
  asks = 0

  constructor(rig: Rig, nodeId: NodeId, { onOwnerLost = 'wait', keptWillBytesMax }: ClaimantOptions = {}) {
    this.store = rig.service.connect()
    this.claims = new SessionClaims({
      store: this.store,
      clock: rig.clock,
      random: new SeededRandom(nodeId.charCodeAt(0)),
      logger: this.logger,
      keys,
      nodeId,
      presence: { isActive: () => true, generation: 0 },
      membership: {
        isLive: (node, incarnation) => rig.live.get(node) === incarnation,
        list: () => Array.from(rig.live, ([node, incarnation]) => ({ nodeId: node, incarnation }) as Member),
      },
      onOwnerLost,
      keptWillBytesMax,
      ownerLostGraceMs: 10_000,
      mayTakeFrom: () => this.mayTakeNow?.() ?? this.mayTake,
      isNearlyFull: () => this.isNearlyFull,
      isStaged: () => true,
      ask: () => {
        this.asks++
        return Promise.resolve(this.answer)
      },
    })
    this.claims.serve({
      ...plainHolder(clientId => void this.surrendered.push(clientId)),
      unclaimed: () => this.unclaimed,
      leaving: () => this.leaving,
      expiryOf: () => 3600,
      willOf: clientId => this.wills.get(clientId),
    })
  }
}

/** A store, time, and which nodes live. */
export class Rig {
  readonly clock = new VirtualClock()
  readonly service = new SimCoordinationService(this.clock)
  readonly live = new Map<NodeId, number>()

  advance(ms: number): Promise<void> {
    return this.clock.advance(ms)
  }

  async settled<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false
    const settle = (): void => void (isSettled = true)
    promise.then(settle, settle)
    await until(this, 'a promise settles', () => isSettled, 30_000)
    return promise
  }

  async put(key: string, text = ''): Promise<void> {
    const value = new TextEncoder().encode(text)
    const store = this.service.connect()
    await this.settled(store.transact({ compare: [], success: [{ type: 'put', key, value }], failure: [] }))
  }

  async delete(key: string): Promise<void> {
    const store = this.service.connect()
    await this.settled(store.transact({ compare: [], success: [{ type: 'delete', key }], failure: [] }))
  }

  /** A member under that incarnation. */
  async enter({ claims }: Claimant, nodeId: NodeId, incarnation: number, epoch = 1): Promise<void> {
    await this.put(keys.member(nodeId, incarnation))
    this.live.set(nodeId, incarnation)
    claims.start(incarnation, epoch)
  }

  async die(nodeId: NodeId): Promise<void> {
    await this.delete(keys.member(nodeId, this.live.get(nodeId) ?? 0))
    this.live.delete(nodeId)
  }

  recordOf(clientId: ClientId): StoredOwnership | undefined {
    const entry = this.service.state.get(keys.session(clientId))
    return entry && decodeOwnership(entry)
  }

  claim(
    { claims }: Claimant,
    clientId: ClientId,
    expiryIntervalSeconds = 3600,
    cleanStart = false,
    will?: WillRecord,
  ): Promise<ClaimAnswer> {
    return this.settled(claims.claim({ clientId, cleanStart, expiryIntervalSeconds, will }))
  }

  /** Number of the will kept for a client by that life, `left out` when only its header is. */
  willOf(nodeId: NodeId, incarnation: number, clientId: ClientId): number | 'left out' | undefined {
    const entry = this.service.state.get(keys.will(nodeId, incarnation, clientId))
    const kept = entry && decodeWill(entry.value)
    return kept && (kept.will === undefined ? 'left out' : kept.id.number)
  }

  async token(claimant: Claimant, clientId: ClientId): Promise<FencingToken> {
    const answer = await this.claim(claimant, clientId)
    return answer.status === 'claimed' ? answer.token : assert.fail(answer.reason)
  }
}

/** A will that takes some 42 B beside its payload. */
export function willRecord(number: number, payloadBytes = 100): WillRecord {
  const publication = {
    topic: 't',
    payload: new Uint8Array(payloadBytes),
    qos: 0 as const,
    retain: false,
    properties: undefined,
    expiresAtMs: undefined,
    publisher: 'x',
    id: { incarnation: 100, number },
  }
  return { publication, messageExpirySeconds: undefined, delaySeconds: 0 }
}
