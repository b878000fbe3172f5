/**
 * The tail of a moved session: what reached its old owner from the freeze on, on its way to the new one.
 *
 * One frame under way at a time, repeated until it is answered. While the new owner's routes come into force everywhere it
 * keeps asking; then it waits until the other nodes have nothing left for this one. As soon as the live ones have not, it says
 * `caught up`, so that the new owner delivers what came to it directly; when those have not that are gone, for as long as
 * that takes, it withdraws the session's own routes, and ends. Invariants: a message is dropped here only when the new owner
 * has said that it is on its disk, or that nobody waits for it; repeats are recognized by position. The session's routes to
 * this node end only when nothing can come by them.
 */
import type { ClientId, FencingToken, NodeId } from '../src/core/ids.ts'
import { compareTokens } from '../src/core/ids.ts'
import { limits } from '../src/core/limits.ts'
import type { Clock, Timer } from '../src/core/ports/clock.ts'
import type { PeerAddress } from '../src/core/ports/peer-transport.ts'
import type { QueuedRecord } from '../src/core/ports/session-journal.ts'
import type { SessionHolder } from '../src/core/ports/session-ownership.ts'
import type { MessageId } from '../src/core/publication.ts'
import { isCount, type SessionChannel } from './session-channel.ts'
import type { SessionOutcomes } from './session-outcome.ts'
import { PartWriter } from './part-writer.ts'
import type { TailTurns, TurnTaker } from './tail-turns.ts'

/** Leading byte of a frame with messages of a tail. */
export const TAIL_BYTE = 2

/** What a frame of a tail says beside its messages; sent as its number. */
export const tailEnds = ['more', 'caught-up', 'complete'] as const

export interface TailPorts {
  readonly channel: SessionChannel
  readonly clock: Clock
  readonly outcomes: SessionOutcomes
  /** Of all tails of this node. */
  readonly turns: TailTurns
  done(clientId: ClientId): void
}

interface TailSubject {
  readonly clientId: ClientId
  readonly token: FencingToken
  /** The first that is not in the snapshot. */
  readonly position: number
}

/** Few, so that nobody waits long for one to be read, and what is read at once is little even in a process that has read none yet. */
const MESSAGES_PER_FRAME = 256
/** Then it is another's turn, so that one that never ends does not keep it. */
const FRAMES_PER_TURN = 64
const ANSWER_MS = 1000
const POLL_FIRST_MS = 10
const POLL_LAST_MS = 500
/** After so many frames without an answer the record says whether the session has moved on. */
const UNANSWERED_MAX = 3

export class TransferTail implements TurnTaker {
  readonly #ports: TailPorts
  readonly #holder: SessionHolder
  readonly #subject: TailSubject
  #to: NodeId
  #position: number
  /** `caught-up`: only of nodes that are gone something may still come. `ending`: nothing comes any more. */
  #phase: 'following' | 'flushing' | 'caught-up' | 'ending' = 'following'
  #floors: readonly MessageId[] = []
  /** Nodes that are gone and may have something left; undefined: live ones may, too. */
  #owing: readonly NodeId[] | undefined
  /** What the new owner was told of these, and then what it has heard. */
  #owingSaid: readonly NodeId[] | undefined
  #owingKnown: readonly NodeId[] | undefined
  #isUnsharedKept = false
  #timer: Timer | undefined
  /** No frame is under way. */
  #isPolling = false
  #pollMs = POLL_FIRST_MS
  #unanswered = 0
  #isClosed = false
  #framesInTurn = 0
  readonly #writer = new PartWriter(0)

  constructor(ports: TailPorts, holder: SessionHolder, subject: TailSubject, to: NodeId) {
    this.#ports = ports
    this.#holder = holder
    this.#subject = subject
    this.#position = subject.position
    this.#to = to
  }

  /** Sends what there is, or asks how far the new owner is. `isPatient`: it waits for its turn, if it needs one. */
  run(isPatient = true): void {
    const { clientId, token } = this.#subject
    if (this.#isClosed) return
    if (!this.#holder.isLeaving(clientId, token)) {
      this.#end()
      return
    }
    const isPolling = this.#isPolling
    this.#isPolling = false
    if (isPolling && this.#hasNothingToSay()) {
      this.#poll()
      return
    }
    const { turns } = this.#ports
    const waiting = this.#holder.tail(clientId, this.#position, MESSAGES_PER_FRAME)
    const messages = waiting.slice(0, fittingCount(waiting))
    const isAll = messages.length === waiting.length && waiting.length < MESSAGES_PER_FRAME
    if (!isPatient || isAll || ++this.#framesInTurn > FRAMES_PER_TURN) this.#endTurn()
    if (isPatient && !isAll && !turns.take(this.#to, this)) {
      this.#again(ANSWER_MS, false)
      return
    }
    this.#send(messages, isAll)
  }

  onTurn(): void {
    this.run()
  }

  #send(messages: readonly QueuedRecord[], isAll: boolean): void {
    const { clientId, token } = this.#subject
    if (++this.#unanswered > UNANSWERED_MAX) this.#lookUp(false)
    const { clock, channel } = this.#ports
    const writer = this.#writer
    writer.clear(clock.wallNow())
    writer.byte(TAIL_BYTE)
    writer.byte(0)
    writer.number(token.epoch)
    writer.number(token.revision)
    writer.text(clientId)
    writer.ids(this.#floors)
    writer.nodes(this.#owing ?? [])
    for (const message of messages) writer.message(message, false)
    if (isAll && this.#phase === 'caught-up') {
      writer.setByte(1, 1)
      this.#owingSaid = this.#owing
    }
    if (isAll && this.#phase === 'ending') writer.setByte(1, 2)
    channel.sendBytes(this.#to, writer.bytes)
    this.#again(ANSWER_MS)
  }

  /** False when the frame makes no sense. */
  onAnswer(from: PeerAddress, fields: Readonly<Record<string, unknown>>): boolean {
    const { epoch, revision, position, state, isRouted, end } = fields
    if (!isCount(epoch) || !isCount(revision)) return false
    if (from.nodeId !== this.#to || compareTokens({ epoch, revision }, this.#subject.token) !== 0) return true
    this.#unanswered = 0
    if (state === 'gone') {
      this.#endTurn()
      this.#lookUp(true)
      return true
    }
    if (state === 'later') {
      this.#poll()
      return true
    }
    if (state !== 'kept' || !isCount(position) || typeof isRouted !== 'boolean') return false
    const { clientId, token } = this.#subject
    if (!this.#holder.isLeaving(clientId, token)) {
      this.#end()
      return true
    }
    const isFurther = position > this.#position
    this.#position = Math.max(this.#position, position)
    this.#holder.tailKept(clientId, this.#position)
    if (isFurther) this.#pollMs = POLL_FIRST_MS
    const hasMore = this.#holder.tail(clientId, this.#position, 1).length > 0
    if (end === 'caught-up') this.#owingKnown = this.#owingSaid
    if (end === 'complete' && !hasMore) {
      this.#holder.forget(clientId)
      this.#end()
      return true
    }
    if (isRouted && this.#phase === 'following') this.#flush()
    const hasAdvanced = this.#advance()
    if (hasMore || hasAdvanced) this.run()
    else this.#poll()
    return true
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#endTurn()
  }

  #endTurn(): void {
    this.#framesInTurn = 0
    this.#ports.turns.giveBack(this.#to, this)
  }

  /** The new owner's routes are in force: what is still to come by the old ones was sent before. */
  #flush(): void {
    this.#phase = 'flushing'
    this.#holder.withdrawShared(this.#subject.clientId)
    this.#holder.whenFlushed(owing => {
      this.#owing = owing
      this.#goOn()
    })
    // Before the new owner ceases to wait for what comes here: else, after a restart, a member here would still take its share.
    this.#holder.whenKept(() => {
      this.#isUnsharedKept = true
      this.#goOn()
    })
  }

  #goOn(): void {
    const { clientId, token } = this.#subject
    if (this.#isClosed || !this.#isPolling || !this.#holder.isLeaving(clientId, token)) return
    if (this.#advance()) this.run()
  }

  /** True when the next frame has something new to say. Traffic may go on all the while. */
  #advance(): boolean {
    if (this.#owing?.length === 0 && this.#isUnsharedKept && this.#phase !== 'ending') {
      this.#phase = 'ending'
      this.#floors = this.#holder.withdraw(this.#subject.clientId)
      return true
    }
    if (this.#owing !== undefined && this.#phase === 'flushing') this.#phase = 'caught-up'
    return this.#phase === 'caught-up' && this.#owing !== this.#owingSaid
  }

  #hasNothingToSay(): boolean {
    const isKnown = this.#phase === 'caught-up' && this.#owingKnown === this.#owing
    const isWaiting = this.#phase === 'flushing' || isKnown
    return isWaiting && this.#holder.tail(this.#subject.clientId, this.#position, 1).length === 0
  }

  /** Whether the session has gone on to another node. `isRefused`: the last known owner does not wait for this tail. */
  #lookUp(isRefused: boolean): void {
    const { clientId, token } = this.#subject
    this.#again(ANSWER_MS)
    this.#unanswered = 0
    void this.#ports.outcomes.find(clientId).then(found => {
      if (this.#isClosed) return
      const isMeant = found.outcome === 'moved' && found.to !== this.#to
      const isPointless = found.outcome === 'ended' || (found.outcome === 'moved' && !isMeant && isRefused)
      if (isMeant) {
        this.#endTurn()
        this.#to = found.to
        this.#owingKnown = undefined
        this.run()
      } else if (isPointless) {
        if (this.#holder.isLeaving(clientId, token)) this.#holder.forget(clientId)
        this.#end()
      }
    })
  }

  #poll(): void {
    this.#isPolling = true
    this.#endTurn()
    this.#again(this.#pollMs)
    this.#pollMs = Math.min(POLL_LAST_MS, this.#pollMs * 2)
  }

  #again(delayMs: number, isPatient = true): void {
    this.#timer?.cancel()
    this.#timer = this.#ports.clock.schedule(delayMs, () => this.run(isPatient))
  }

  #end(): void {
    this.close()
    this.#ports.done(this.#subject.clientId)
  }
}

/** How many of them go into one frame. */
function fittingCount(messages: readonly QueuedRecord[]): number {
  let bytesLeft: number = limits.tailFrameBytes
  let count = 0
  for (const { publication } of messages) {
    if (bytesLeft <= 0) break
    bytesLeft -= publication.payload.length + publication.topic.length + (publication.properties?.length ?? 0)
    count++
  }
  return count
}
