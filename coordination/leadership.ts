/**
 * Who leads the cluster (PROTOCOLS section 12): whoever created the `leader` key on its member lease. A term is named by the
 * revision that created it, so terms only rise, and every write of a leader compares it.
 *
 * It campaigns whenever there is no leader and this node may act, unless it has resigned; duties are not its business.
 * Invariant: what it says is what the store last said, never a wish: a node takes itself for the leader only after the watch
 * told so, and only of a key on its own lease, not of one that an earlier life of the node left behind.
 */
import type { NodeId } from '../src/core/ids.ts'
import type { Clock, Timer } from '../src/core/ports/clock.ts'
import type {
  CoordinationEntry,
  CoordinationStore,
  CoordinationWatch,
} from '../src/core/ports/coordination-store.ts'
import type { Random } from '../src/core/ports/random.ts'
import type { CoordinationKeys } from './keys.ts'
import { isAbsent, isAtRevision, isPresent } from './store-calls.ts'

interface LeadershipContext {
  readonly store: CoordinationStore
  readonly clock: Clock
  readonly random: Random
  readonly keys: CoordinationKeys
}

interface Candidate {
  readonly nodeId: NodeId
  readonly memberKey: string
  /** The lease to campaign on; undefined while the node may not act. */
  leaseId(): string | undefined
}

/** A term as this node saw it. */
export interface Term {
  readonly leader: NodeId
  /** Rises with every change of leader. */
  readonly term: number
  /** Wall clock ms at which this node learned of it. */
  readonly sinceMs: number
}

/** A term that is over. */
export type PastTerm = Term & { readonly untilMs: number }

export interface LeadershipListener {
  /** Another term, or none. */
  onChanged(term: Term | undefined): void
  /** This node leads, under that term, until `onDeposed`. */
  onElected(term: number): void
  onDeposed(): void
}

export interface LeadershipStats {
  /** Terms seen by this node, its own included. */
  terms: number
  /** Terms of this node. */
  termsWon: number
  /** Attempts to become leader, and those the coordination store did not answer. */
  campaigns: number
  campaignsFailed: number
}

/** While there is no leader, each node tries again after up to this long. */
const RETRY_MS = 2000
const PAST_TERMS_MAX = 16

export class Leadership {
  readonly stats: LeadershipStats = { terms: 0, termsWon: 0, campaigns: 0, campaignsFailed: 0 }
  readonly #context: LeadershipContext
  readonly #listener: LeadershipListener
  #candidate: Candidate | undefined
  #watch: CoordinationWatch | undefined
  #retry: Timer | undefined
  #current: Term | undefined
  #previous: PastTerm[] = []
  /** The lease of the latest campaign. */
  #leaseId: string | undefined
  /** The own term that was given up here and may still stand in the store. */
  #givenUp: number | undefined
  #isLeading = false
  #hasResigned = false
  #isClosed = false

  constructor(context: LeadershipContext, listener: LeadershipListener) {
    this.#context = context
    this.#listener = listener
  }

  get leader(): NodeId | undefined {
    return this.#current?.leader
  }

  get current(): Term | undefined {
    return this.#current
  }

  /** Terms before the present one as far as this node saw them, oldest first, the last few. */
  get previous(): readonly PastTerm[] {
    return this.#previous
  }

  /** Whether the store's last word is that this process leads. */
  get isLeading(): boolean {
    return this.#isLeading
  }

  start(candidate: Candidate): void {
    const { store, keys } = this.#context
    this.#candidate = candidate
    this.#watch = store.watch(keys.leader, {
      onReset: entries => this.#observe(entries.find(({ key }) => key === keys.leader)),
      onEvents: events => {
        for (const event of events) {
          if (event.type === 'put' && event.entry.key === keys.leader) this.#observe(event.entry)
          if (event.type === 'delete' && event.key === keys.leader) this.#observe(undefined)
        }
      },
    })
  }

  /** Hands leadership over, if this node has it, and stands no more until `stand`: for a node that drains. */
  resign(): void {
    this.#hasResigned = true
    this.#retry?.cancel()
    if (this.#isLeading) this.#abdicate()
  }

  /** Campaigns again after `resign`. */
  stand(): void {
    if (!this.#hasResigned) return
    this.#hasResigned = false
    if (this.#current === undefined && this.#watch !== undefined) this.#campaign()
  }

  close(): void {
    this.#isClosed = true
    this.#watch?.close()
    this.#retry?.cancel()
    if (this.#isLeading) this.#depose()
  }

  #observe(entry: CoordinationEntry | undefined): void {
    if (this.#isClosed) return
    this.#retry?.cancel()
    if (entry?.modRevision !== this.#current?.term) this.#change(entry)
    if (entry === undefined) this.#campaign()
    // Won by a campaign that was on its way when the node resigned, or not given up yet.
    else if ((this.#isLeading && this.#hasResigned) || entry.modRevision === this.#givenUp) this.#abdicate()
  }

  #change(entry: CoordinationEntry | undefined): void {
    const nowMs = this.#context.clock.wallNow()
    if (this.#isLeading) this.#depose()
    if (this.#current !== undefined) {
      this.#previous = [...this.#previous, { ...this.#current, untilMs: nowMs }].slice(-PAST_TERMS_MAX)
    }
    this.#current = entry && {
      leader: new TextDecoder().decode(entry.value),
      term: entry.modRevision,
      sinceMs: nowMs,
    }
    if (entry !== undefined) this.stats.terms++
    this.#listener.onChanged(this.#current)
    if (entry === undefined || !this.#isOwn(entry)) return
    this.#isLeading = true
    this.stats.termsWon++
    this.#listener.onElected(entry.modRevision)
  }

  #isOwn({ value, leaseId }: CoordinationEntry): boolean {
    return this.#leaseId === leaseId && new TextDecoder().decode(value) === this.#candidate?.nodeId
  }

  #depose(): void {
    this.#isLeading = false
    this.#listener.onDeposed()
  }

  /** Ends the own term, at this node at once; the store is asked until the watch says that it is over. */
  #abdicate(): void {
    const term = this.#current?.term
    if (term === undefined || this.#isClosed) return
    this.#givenUp = term
    if (this.#isLeading) this.#depose()
    this.#deleteTerm(term).catch(() => undefined)
    this.#scheduleRetry(() => this.#abdicate())
  }

  /** Rejects only when the store was closed. */
  async #deleteTerm(term: number): Promise<void> {
    const { store, keys } = this.#context
    await store.transact({
      compare: [isAtRevision(keys.leader, term)],
      success: [{ type: 'delete', key: keys.leader }],
      failure: [],
    })
  }

  #campaign(): void {
    const candidate = this.#candidate
    if (candidate === undefined || this.#isClosed || this.#hasResigned) return
    this.#scheduleRetry(() => this.#campaign())
    const leaseId = candidate.leaseId()
    if (leaseId === undefined) return
    this.#leaseId = leaseId
    this.#run(candidate, leaseId).catch(() => undefined)
  }

  #scheduleRetry(task: () => void): void {
    const { clock, random } = this.#context
    this.#retry?.cancel()
    this.#retry = clock.schedule(RETRY_MS * (0.5 + random.fraction() / 2), task)
  }

  /** The watch tells who won. Rejects only when the store was closed. */
  async #run({ nodeId, memberKey }: Candidate, leaseId: string): Promise<void> {
    const { store, keys } = this.#context
    this.stats.campaigns++
    const value = new TextEncoder().encode(nodeId)
    const outcome = await store.transact({
      compare: [isAbsent(keys.leader), isPresent(memberKey)],
      success: [{ type: 'put', key: keys.leader, value, leaseId }],
      failure: [],
    })
    if (outcome.outcome !== 'done') this.stats.campaignsFailed++
  }
}
