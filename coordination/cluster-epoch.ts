/**
 * The epoch of the coordination store: an integer in the store that rises when its content was replaced, by an older backup or
 * by nothing (DESIGN section 5).
 *
 * Each node remembers the epoch and the highest revision it saw; a store that knows less than that is not the one it was. Who
 * notices raises the epoch; everybody else learns of it by watching the key. What then has to be registered and claimed anew
 * is the listener's business. Invariant: `current` only rises, and the listener hears of every rise after `settle` first
 * answered, before anything else is done in the new epoch.
 */
import type {
  CoordinationEntry,
  CoordinationStore,
  CoordinationWatch,
} from '../src/core/ports/coordination-store.ts'
import type { NodeId } from '../src/core/ids.ts'
import type { Clock, Timer } from '../src/core/ports/clock.ts'
import type { EpochMark, EpochMemory } from '../src/core/ports/epoch-memory.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { AwaitedOwners } from './awaited-owners.ts'
import { isAtRevision, resultOf } from './store-calls.ts'

interface ClusterEpochContext {
  readonly store: CoordinationStore
  readonly clock: Clock
  readonly logger: Logger
  readonly memory: EpochMemory
  readonly owners: AwaitedOwners
  /** Of the epoch. */
  readonly key: string
  /** The highest revision the store has answered with since it was last replaced. */
  revision(): number
}

export interface ClusterEpochListener {
  /** The store was replaced; `reason` is for operators. To settle the epoch is the first thing to do. */
  onReplaced(reason: string): void
}

const SAVE_MS = 10_000

export class ClusterEpoch {
  readonly #context: ClusterEpochContext
  readonly #listener: ClusterEpochListener
  #remembered: EpochMark | undefined
  #saved: EpochMark | undefined
  #current = 0
  /** Of the store, when it had that epoch. */
  #currentAtRevision = 0
  #claimed = 0
  #replacedMs = -Infinity
  /** In flight, the store was seen to be at a revision below one it was at before. */
  #hasRegressed = false
  /** Told the operator about the replacement under way. */
  #isAnnounced = false
  #watch: CoordinationWatch | undefined
  #saving: Timer | undefined

  constructor(context: ClusterEpochContext, listener: ClusterEpochListener) {
    this.#context = context
    this.#listener = listener
  }

  /** 0 before the first `settle`. */
  get current(): number {
    return this.#current
  }

  /** In which everything this node has was last claimed, or found to be there still. */
  get claimed(): number {
    return this.#claimed
  }

  /** The store was replaced, and not every owner has yet had `ms` to notice, or to suspend itself, and to claim again. */
  isSettling(ms: number): boolean {
    const isBehind = this.#isAnnounced || this.#claimed < this.#current
    return isBehind || this.#context.clock.now() < this.#replacedMs + ms
  }

  /** Everything this node has is claimed in the epoch `epoch`. */
  noteClaimed(epoch: number): void {
    this.#claimed = Math.max(this.#claimed, epoch)
    this.#save()
    if (this.awaited.length === 0) return
    this.#context.logger.warn(
      'the coordination store was replaced and does not know what these nodes own until they are back: where sessions.onOwnerLost is wait, sessions it does not know are refused so long; of a node that will never be back, say so: grapevine nodes forget',
      { nodes: this.awaited },
    )
  }

  /** What is known of the claims of others has changed. */
  noteOwners(): void {
    if (this.#current > 0) this.#save()
  }

  /** Nodes that may own sessions of which the store, as it is now, does not know. */
  get awaited(): readonly NodeId[] {
    return this.#context.owners.in(this.#current)
  }

  /** `Clock.now` at which this node noticed that the store was replaced; -Infinity when it never was. */
  get replacedMs(): number {
    return this.#replacedMs
  }

  /** Loads what is remembered; to be called once, before `settle`. */
  async load(): Promise<void> {
    this.#remembered = await this.#context.memory.load()
    this.#saved = this.#remembered
    this.#context.owners.restore(this.#remembered?.owners ?? [])
    this.#claimed = this.#remembered?.claimedEpoch ?? this.#remembered?.epoch ?? 0
  }

  /** Reads the epoch, and makes or raises it when it has to be. Throws COORDINATION_UNAVAILABLE. */
  async settle(): Promise<void> {
    const { store, key } = this.#context
    const success = [{ type: 'get' as const, key }]
    const { results, revision } = resultOf(await store.transact({ compare: [], success, failure: [] }))
    const [found] = results
    const entry = found?.type === 'get' ? found.entry : undefined
    const stored = entry === undefined ? 0 : decodeEpoch(entry)
    const known = Math.max(this.#current, this.#remembered?.epoch ?? 0)
    const isBehind = stored < known || (stored === known && known > 0 && this.#isBehind(revision))
    if (stored > 0 && !isBehind)
      this.#adopt(stored, revision, 'another node found the coordination store replaced')
    else await this.#raise(entry, Math.max(known, stored) + 1, stored === 0 ? 'emptied' : 'restored')
  }

  /** Watches for others who raise it; saves from time to time what is seen. After `settle`. */
  start(): void {
    const { store, clock, key } = this.#context
    this.#watch = store.watch(key, {
      onReset: (entries, revision) => {
        const entry = entries.find(({ key: found }) => found === key)
        const isOlder = (entry === undefined ? 0 : decodeEpoch(entry)) < this.#current
        // No watch that lags: it is another store, whatever epoch somebody else may give it before this node looks again.
        if (isOlder && revision >= this.#currentAtRevision) this.#hasRegressed = true
        this.#observe(entry)
      },
      onEvents: events => {
        const last = events.findLast(event => (event.type === 'put' ? event.entry.key : event.key) === key)
        if (last !== undefined) this.#observe(last.type === 'put' ? last.entry : undefined)
      },
    })
    this.#saving = clock.repeat(SAVE_MS, () => this.#save())
  }

  /** The store answered at a lower revision than before. */
  onRegressed(): void {
    if (this.#current === 0 || this.#hasRegressed) return
    this.#hasRegressed = true
    this.#announce('the coordination store answered with an older state than it had before')
  }

  close(): void {
    this.#watch?.close()
    this.#saving?.cancel()
    if (this.#current > 0 && !this.#hasRegressed) this.#save()
  }

  #isBehind(revision: number): boolean {
    return this.#hasRegressed || (this.#current === 0 && revision < (this.#remembered?.revision ?? 0))
  }

  #observe(entry: CoordinationEntry | undefined): void {
    const stored = entry === undefined ? 0 : decodeEpoch(entry)
    if (stored === this.#current) return
    this.#announce(
      stored > this.#current
        ? 'another node found the coordination store replaced'
        : 'the epoch of this cluster vanished from the coordination store, or is an older one',
    )
  }

  /** Tells that claims and registrations count for nothing; whoever hears it settles the epoch and does them again. */
  #announce(reason: string): void {
    const { logger } = this.#context
    if (!this.#isAnnounced)
      logger.warn(
        `${reason}: it was restored from a backup, or emptied; this node registers and claims everything again, clients stay connected`,
        { epoch: this.#current },
      )
    this.#isAnnounced = true
    this.#listener.onReplaced(reason)
  }

  #adopt(epoch: number, revision: number, reason: string): void {
    const before = Math.max(this.#current, this.#remembered?.epoch ?? 0)
    this.#current = epoch
    this.#currentAtRevision = revision
    // Who has never seen the store has nothing to claim.
    if (before === 0) this.#claimed = epoch
    this.#hasRegressed = false
    this.#save()
    this.#isAnnounced = false
    if (before === epoch || before === 0) return
    this.#replacedMs = this.#context.clock.now()
    this.#context.logger.info('the coordination store has a new epoch', { epoch, reason })
  }

  async #raise(
    entry: CoordinationEntry | undefined,
    epoch: number,
    what: 'emptied' | 'restored',
  ): Promise<void> {
    const { store, key, logger } = this.#context
    const value = new TextEncoder().encode(String(epoch))
    const compare = [isAtRevision(key, entry?.modRevision ?? 0)]
    const result = resultOf(
      await store.transact({ compare, success: [{ type: 'put', key, value }], failure: [] }),
    )
    // Somebody else was quicker.
    if (!result.succeeded) return this.settle()
    if (epoch > 1) {
      logger.warn(
        `the coordination store was ${what} since this node last saw it; its epoch is raised, and every node registers and ` +
          'claims its sessions anew: sessions of nodes that are not running are known again when those start',
        { epoch, revisionRemembered: this.#remembered?.revision ?? 0 },
      )
    }
    this.#adopt(epoch, result.revision, what)
  }

  #save(): void {
    const saved = this.#saved
    const owners = this.#context.owners.claims()
    const revision = this.#context.revision()
    const mark = { epoch: this.#current, revision, claimedEpoch: this.#claimed, owners }
    const isKnown = mark.epoch === saved?.epoch && mark.claimedEpoch === (saved.claimedEpoch ?? saved.epoch)
    const areOwnersKnown = String(owners) === String(saved?.owners ?? [])
    if (isKnown && areOwnersKnown && mark.revision <= saved.revision) return
    this.#saved = mark
    this.#context.memory.save(mark)
  }
}

/** Throws when the value is none: somebody else uses the key. */
function decodeEpoch({ key, value }: CoordinationEntry): number {
  const epoch = Number(new TextDecoder().decode(value))
  if (!Number.isSafeInteger(epoch) || epoch < 1) throw new Error(`the value of ${key} is not an epoch`)
  return epoch
}
