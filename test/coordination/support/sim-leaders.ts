import { CoordinationKeys } from '../../../coordination/keys.ts'
import { LeaderDuties } from '../../../coordination/leader-duties.ts'
import { Leadership } from '../../../coordination/leadership.ts'
import { encodeOwnership } from '../../../coordination/session-record.ts'
import { encodeWill } from '../../../coordination/will-record.ts'
import { SeededRandom } from '../../../sim/ports/seeded-random.ts'
import { SimCoordinationService } from '../../../sim/ports/sim-coordination-store.ts'
import { VirtualClock } from '../../../sim/ports/virtual-clock.ts'
import type { ClientId, Incarnation, NodeId } from '../../../src/core/ids.ts'
import type { WillRecord } from '../../../src/core/ports/session-journal.ts'
import { CutOffStore } from './cut-off-store.ts'
import { RecordingLogger } from './recording-logger.ts'

export const LEASE_TTL_MS = 10_000

/** A will that was published: by whom, when, under which number of which life. */
export interface Firing {
  readonly by: NodeId
  readonly atMs: number
  readonly topic: string
  readonly id: string
}

/** What a process of a node does about leadership, without sessions: a member key on a lease, a candidacy, duties. */
export class SimLeader {
  readonly nodeId: NodeId
  readonly store: CutOffStore
  readonly logger = new RecordingLogger()
  readonly leadership: Leadership
  readonly duties: LeaderDuties
  readonly terms: string[] = []
  incarnation: Incarnation = 0
  mayTake = true
  /** While set, what is published is accepted by nobody. */
  isHolding = false
  readonly #cluster: SimLeaders
  readonly #live = new Map<string, { nodeId: NodeId; incarnation: Incarnation }>()
  leaseId = ''
  #isDead = false

  constructor(cluster: SimLeaders, nodeId: NodeId, seed: number) {
    const { clock, keys, service } = cluster
    this.#cluster = cluster
    this.nodeId = nodeId
    this.store = new CutOffStore(service.connect(), clock)
    const context = { store: this.store, clock, keys, random: new SeededRandom(seed), logger: this.logger }
    this.duties = new LeaderDuties({
      ...context,
      signs: {
        isLive: (life, incarnation) => this.#live.has(keys.member(life, incarnation)),
        liveIncarnation: life => {
          const lives = [...this.#live.values()].filter(other => other.nodeId === life)
          return lives.length === 0 ? undefined : Math.max(...lives.map(({ incarnation }) => incarnation))
        },
        mayTakeFrom: () => this.mayTake,
      },
      publish: will => this.#publish(will),
    })
    this.leadership = new Leadership(context, {
      onChanged: term => this.terms.push(term?.leader ?? 'none'),
      onElected: term => this.duties.begin(term),
      onDeposed: () => this.duties.end(),
    })
  }

  /** `incarnation`: that of an earlier stay in the cluster. */
  async join(incarnation?: Incarnation): Promise<this> {
    const { keys, clock } = this.#cluster
    this.leaseId = (await this.#cluster.settled(this.store.grantLease(LEASE_TTL_MS))).leaseId
    const key = keys.incarnation(this.nodeId)
    const value = new Uint8Array(1)
    this.incarnation = incarnation ?? (await this.#cluster.write([{ type: 'put', key, value }]))
    const memberKey = keys.member(this.nodeId, this.incarnation)
    await this.#cluster.write([{ type: 'put', key: memberKey, value, leaseId: this.leaseId }])
    clock.repeat(3000, () => {
      if (!this.#isDead) this.store.keepAlive(this.leaseId).catch(() => undefined)
    })
    this.store.watch(keys.members, {
      onReset: entries => {
        this.#live.clear()
        for (const entry of entries) this.#see(entry.key)
        this.duties.onMembersChanged([...this.#live.values()])
      },
      onEvents: events => {
        for (const event of events) {
          if (event.type === 'put') this.#see(event.entry.key)
          else this.#live.delete(event.key)
        }
        this.duties.onMembersChanged([...this.#live.values()])
      },
    })
    this.leadership.start({ nodeId: this.nodeId, memberKey, leaseId: () => this.leaseId })
    await clock.advance(50)
    return this
  }

  /** As `kill -9`. The store notices when the lease has run out. */
  kill(): void {
    this.#isDead = true
    this.store.setContact('cut')
    this.leadership.close()
  }

  /** The store lets the lease go at once. */
  async killAtOnce(): Promise<void> {
    this.kill()
    await this.#cluster.settled(this.#cluster.service.connect().revokeLease(this.leaseId))
  }

  #see(key: string): void {
    const life = this.#cluster.keys.parseMember(key)
    if (life !== undefined) this.#live.set(key, life)
  }

  #publish({ publication }: WillRecord): Promise<void> {
    if (this.#isDead) return new Promise(() => undefined)
    const { incarnation, number } = publication.id ?? { incarnation: 0, number: 0 }
    const firing = { by: this.nodeId, topic: publication.topic, id: `${incarnation}/${number}` }
    this.#cluster.firings.push({ ...firing, atMs: this.#cluster.clock.wallNow() })
    return this.isHolding ? new Promise(() => undefined) : Promise.resolve()
  }
}

/** Candidates over one simulated store. */
export class SimLeaders {
  readonly clock = new VirtualClock()
  readonly service = new SimCoordinationService(this.clock)
  readonly keys = new CoordinationKeys('test')
  readonly firings: Firing[] = []
  #seed = 0
  #numbers = 0

  create(nodeId: NodeId): SimLeader {
    return new SimLeader(this, nodeId, ++this.#seed)
  }

  async start(...nodeIds: NodeId[]): Promise<SimLeader[]> {
    const leaders: SimLeader[] = []
    for (const nodeId of nodeIds) leaders.push(await this.create(nodeId).join())
    await this.clock.advance(100)
    return leaders
  }

  async settled<T>(promise: Promise<T>): Promise<T> {
    await this.clock.advance(10)
    return promise
  }

  /** As some other party of the cluster; answers the revision. */
  async write(
    success: Parameters<ReturnType<SimCoordinationService['connect']>['transact']>[0]['success'],
  ): Promise<number> {
    const outcome = await this.settled(this.service.connect().transact({ compare: [], success, failure: [] }))
    if (outcome.outcome !== 'done') throw new Error('the simulated store did not answer')
    return outcome.result.revision
  }

  /** A session's record as its owner wrote it, and its will if `delay` (seconds) is given; answers the will's id. */
  async own(
    owner: Pick<SimLeader, 'nodeId' | 'incarnation'>,
    clientId: ClientId,
    { expiry = 0, delay, dueAtMs, payloadBytes = 4 }: OwnOptions = {},
  ): Promise<string> {
    const { keys } = this
    const number = ++this.#numbers
    const id = { incarnation: owner.incarnation, number }
    const record = {
      node: owner.nodeId,
      incarnation: owner.incarnation,
      epoch: 1,
      tokenRevision: 0,
      nonce: 'n',
      expiry,
      how: 'new' as const,
      sinceMs: 0,
    }
    const publication = {
      topic: `gone/${clientId}`,
      payload: new Uint8Array(payloadBytes),
      qos: 1 as const,
      retain: false,
      properties: undefined,
      expiresAtMs: undefined,
      publisher: clientId,
      id,
    }
    const put = { type: 'put' as const, key: keys.session(clientId), value: encodeOwnership(record) }
    if (delay === undefined) await this.write([put])
    else {
      const will = { publication, messageExpirySeconds: undefined, delaySeconds: delay }
      const key = keys.will(owner.nodeId, owner.incarnation, clientId)
      await this.write([put, { type: 'put', key, value: encodeWill(will, id, dueAtMs) }])
    }
    return `${id.incarnation}/${id.number}`
  }

  /** What a claim by another node does: its record, and the old owner's will gone. */
  async take(claimant: SimLeader, from: SimLeader, clientId: ClientId): Promise<void> {
    await this.write([{ type: 'delete', key: this.keys.will(from.nodeId, from.incarnation, clientId) }])
    await this.own(claimant, clientId, { expiry: 3600 })
  }

  keysWith(part: string): string[] {
    return this.service.state
      .range('/grapevine/test/')
      .map(({ key }) => key)
      .filter(key => key.includes(part))
  }
}

interface OwnOptions {
  readonly expiry?: number
  readonly delay?: number
  readonly dueAtMs?: number
  readonly payloadBytes?: number
}
