/**
 * A node's part in the cluster's subscription mode (PROTOCOLS section 8): follows the record, has the feeds do what it asks,
 * and acknowledges what they have done, on the node's lease.
 *
 * It never decides what comes next; that is the leader's (`mode-driver.ts`). Without a record it writes the one it was
 * configured with, or, once it has followed one, that one's mode again: the store was emptied then. Invariant: it acknowledges
 * an epoch only for what the feeds said of that epoch's plan.
 */
import type { Incarnation, NodeId } from '../src/core/ids.ts'
import type { Clock, Timer } from '../src/core/ports/clock.ts'
import type {
  CoordinationEntry,
  CoordinationEvent,
  CoordinationStore,
  CoordinationWatch,
} from '../src/core/ports/coordination-store.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { Random } from '../src/core/ports/random.ts'
import { lifeName } from '../src/core/ports/subscription-mode.ts'
import type {
  FeedProgress,
  InterestFeedSwitch,
  ModeAnswer,
  ModeStatus,
  SubscriptionMode,
} from '../src/core/ports/subscription-mode.ts'
import { Backoff } from './backoff.ts'
import type { CoordinationKeys } from './keys.ts'
import { beginSwitch, decodeAck, decodeMode, encodeAck, encodeMode, planOf } from './mode-record.ts'
import type { ModeAck, ModeRecord } from './mode-record.ts'
import { isAtRevision, isPresent, resultOf } from './store-calls.ts'

interface FollowerContext {
  readonly store: CoordinationStore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly keys: CoordinationKeys
  readonly nodeId: NodeId
  /** 0 before it is allocated. */
  readonly incarnation: () => Incarnation
  /** Undefined while the node may not act. */
  readonly leaseId: () => string | undefined
  /** Live members as last known, self included. */
  readonly members: () => readonly { readonly nodeId: NodeId; readonly incarnation: Incarnation }[]
  /** Of a cluster that has none. */
  readonly initialMode: SubscriptionMode
}

export interface ModeStats {
  /** Switches that this node saw end, by how. */
  switched: number
  aborted: number
}

/** Of the quota of the coordination store, how much may be in use after a switch to it. */
const QUOTA_SHARE_MAX = 0.8

export class ModeFollower {
  readonly stats: ModeStats = { switched: 0, aborted: 0 }
  readonly #context: FollowerContext
  readonly #backoff: Backoff
  readonly #acks = new Map<string, ModeAck>()
  readonly #known: (() => void)[] = []
  #watch: CoordinationWatch | undefined
  #record: ModeRecord | undefined
  #revision = 0
  #feeds: InterestFeedSwitch | undefined
  /** What this node has to say of the record's epoch. */
  #progress: FeedProgress = { isDone: false, compared: [], fault: undefined }
  #isWriting = false
  #retry: Timer | undefined
  #isClosed = false

  constructor(context: FollowerContext) {
    this.#context = context
    this.#backoff = new Backoff(context.clock, context.random, 100, 2000)
  }

  /** As last seen. */
  get record(): ModeRecord | undefined {
    return this.#record
  }

  /** Mod revision of the record as last seen; 0 without one. */
  get revision(): number {
    return this.#revision
  }

  /** Resolves when the mode is known, or with `close`. */
  start(): Promise<void> {
    const { store, keys } = this.#context
    return new Promise(resolve => {
      this.#known.push(resolve)
      this.#watch = store.watch(keys.mode, {
        onReset: entries => this.#reset(entries),
        onEvents: events => this.#apply(events),
      })
    })
  }

  /** Names the feeds that are to follow; they begin at once. After `start`. */
  serve(feeds: InterestFeedSwitch): void {
    this.#feeds = feeds
    this.#follow()
  }

  status(): ModeStatus {
    const { initialMode, members } = this.#context
    const record = this.#record
    if (record === undefined) return { mode: initialMode, epoch: 0, current: undefined, last: undefined }
    const { mode, epoch, current, last } = record
    if (current === undefined) return { mode, epoch, current, last }
    const lives = members()
    const done = lives.filter(({ nodeId, incarnation }) => {
      return this.#acks.get(lifeName(nodeId, incarnation))?.epoch === epoch
    })
    const { from, to, phase, startedAtMs, phaseAtMs, requestedBy } = current
    return {
      mode,
      epoch,
      current: {
        ...{ from, to, phase, startedAtMs, phaseAtMs, requestedBy },
        done: done.map(({ nodeId }) => nodeId),
        members: lives.map(({ nodeId }) => nodeId),
      },
      last,
    }
  }

  /**
   * Begins a switch. `bytes`: what all members together would write into the store for it, estimated. Rejects with
   * COORDINATION_UNAVAILABLE when it may or may not have begun; asking again is fine.
   */
  async request(to: SubscriptionMode, bytes: number): Promise<ModeAnswer> {
    const { store, clock, keys, nodeId } = this.#context
    const { entry } = await store.get(keys.mode)
    const record = entry && decodeMode(entry.value)
    if (entry === undefined || record === undefined)
      return refusal('joining', 'the mode of the cluster is not set yet')
    const { epoch, current, mode } = record
    if (current !== undefined) {
      if (current.to === to) return { isAccepted: true, isChange: true, epoch }
      return refusal('busy', `a switch to ${current.to} is under way`)
    }
    if (mode === to) return { isAccepted: true, isChange: false, epoch }
    const fault = to === 'etcd' ? await this.#quotaFault(bytes) : undefined
    if (fault !== undefined) return refusal('quota', fault)
    const generation = (await store.get(keys.generation)).entry?.modRevision ?? 0
    const { entries } = await store.range(keys.members)
    const lives = entries.map(({ key }) => key.slice(keys.members.length))
    const begun = beginSwitch(record, { to, nodeId, lives }, clock.wallNow())
    const result = resultOf(
      await store.transact({
        compare: [isAtRevision(keys.mode, entry.modRevision), isAtRevision(keys.generation, generation)],
        success: [{ type: 'put', key: keys.mode, value: encodeMode(begun) }],
        failure: [],
      }),
    )
    if (!result.succeeded) return refusal('busy', 'a node joined, or another switch began, at this moment')
    return { isAccepted: true, isChange: true, epoch: begun.epoch }
  }

  close(): void {
    this.#isClosed = true
    this.#watch?.close()
    this.#retry?.cancel()
    for (const resolve of this.#known.splice(0)) resolve()
  }

  async #quotaFault(bytes: number): Promise<string | undefined> {
    const { sizeInUseBytes, quotaBytes, alarm } = await this.#context.store.status()
    if (alarm !== undefined) return `the coordination store takes no writes (${alarm})`
    if (quotaBytes === undefined || sizeInUseBytes + bytes <= quotaBytes * QUOTA_SHARE_MAX) return undefined
    return `about ${bytes} bytes would be written, ${sizeInUseBytes} of ${quotaBytes} are in use, and 80 % may be`
  }

  #reset(entries: readonly CoordinationEntry[]): void {
    const { keys } = this.#context
    this.#acks.clear()
    for (const entry of entries) this.#noteAck(entry)
    this.#observe(entries.find(({ key }) => key === keys.mode))
    this.#settle()
  }

  #apply(events: readonly CoordinationEvent[]): void {
    const { keys } = this.#context
    for (const event of events) {
      if (event.type === 'put') this.#noteAck(event.entry)
      else this.#acks.delete(event.key.slice(keys.modeAcks.length))
      if (event.type === 'put' && event.entry.key === keys.mode) this.#observe(event.entry)
      if (event.type === 'delete' && event.key === keys.mode) this.#observe(undefined)
    }
    this.#settle()
  }

  #noteAck({ key, value }: CoordinationEntry): void {
    const { keys } = this.#context
    const ack = key.startsWith(keys.modeAcks) ? decodeAck(value) : undefined
    if (ack !== undefined) this.#acks.set(key.slice(keys.modeAcks.length), ack)
  }

  #observe(entry: CoordinationEntry | undefined): void {
    const { logger, keys } = this.#context
    const record = entry && decodeMode(entry.value)
    if (entry !== undefined && record === undefined) {
      logger.error('the record of the subscription mode is not as this version writes it, and is ignored', {
        key: keys.mode,
      })
      return
    }
    this.#revision = entry?.modRevision ?? 0
    if (record === undefined) return
    const before = this.#record
    this.#record = record
    if (before !== undefined && record.epoch === before.epoch + 1) this.#report(before, record)
    for (const resolve of this.#known.splice(0)) resolve()
    if (before?.epoch !== record.epoch || before.mode !== record.mode) this.#follow()
  }

  #report(before: ModeRecord, { mode, current, last }: ModeRecord): void {
    const { logger } = this.#context
    if (current !== undefined) {
      const { from, to, phase } = current
      logger.info('switching the subscription mode', { from, to, phase })
    } else if (before.current !== undefined && last !== undefined) {
      this.stats[last.outcome]++
      if (last.outcome === 'switched') logger.info('switched the subscription mode', { mode })
      else
        logger.warn('the switch of the subscription mode was given up; everything is as before', {
          mode,
          reason: last.reason ?? '',
        })
    }
  }

  #follow(): void {
    const record = this.#record
    if (this.#feeds === undefined || record === undefined) return
    this.#progress = { isDone: false, compared: [], fault: undefined }
    this.#feeds.follow(planOf(record), progress => {
      if (this.#record?.epoch !== record.epoch) return
      this.#progress = progress
      this.#settle()
    })
  }

  /** Writes what is due, one thing at a time, until nothing is. */
  #settle(): void {
    if (this.#isClosed || this.#isWriting || this.#retry !== undefined) return
    if (this.#revision > 0 && !this.#owesAck()) return
    this.#isWriting = true
    void this.#writeDue()
  }

  /** Never rejects. */
  async #writeDue(): Promise<void> {
    const isWritten = await (this.#revision === 0 ? this.#create() : this.#acknowledge())
    this.#isWriting = false
    if (this.#isClosed) return
    if (isWritten) this.#backoff.reset()
    // What was written shows in the watch; should that be silent, it is looked at again.
    this.#retry = this.#context.clock.schedule(this.#backoff.next(), () => {
      this.#retry = undefined
      this.#settle()
    })
  }

  async #create(): Promise<boolean> {
    const { store, keys, initialMode, nodeId, incarnation } = this.#context
    const { mode, epoch } = this.#record ?? { mode: initialMode, epoch: 0 }
    const value = encodeMode({ mode, epoch: epoch + 1, current: undefined, last: undefined })
    const outcome = await store.transact({
      compare: [isAtRevision(keys.mode, 0), isPresent(keys.member(nodeId, incarnation()))],
      success: [{ type: 'put', key: keys.mode, value }],
      failure: [],
    })
    return outcome.outcome === 'done'
  }

  #owesAck(): boolean {
    const ack = this.#ackDue()
    if (ack === undefined) return false
    const { nodeId, incarnation } = this.#context
    const held = this.#acks.get(lifeName(nodeId, incarnation()))
    return (
      held?.epoch !== ack.epoch ||
      held.fault !== ack.fault ||
      ack.compared.some(life => !held.compared.includes(life))
    )
  }

  #ackDue(): ModeAck | undefined {
    const { isDone, compared, fault } = this.#progress
    const record = this.#record
    if (record?.current === undefined || !(isDone || fault !== undefined)) return undefined
    return { epoch: record.epoch, compared, fault }
  }

  async #acknowledge(): Promise<boolean> {
    const { store, keys, nodeId, incarnation, leaseId: lease } = this.#context
    const ack = this.#ackDue()
    const leaseId = lease()
    if (ack === undefined || leaseId === undefined) return false
    const outcome = await store.transact({
      compare: [isPresent(keys.member(nodeId, incarnation()))],
      success: [{ type: 'put', key: keys.modeAck(nodeId, incarnation()), value: encodeAck(ack), leaseId }],
      failure: [],
    })
    return outcome.outcome === 'done'
  }
}

function refusal(reason: 'busy' | 'quota' | 'joining', detail: string): ModeAnswer {
  return { isAccepted: false, refusal: reason, detail }
}
