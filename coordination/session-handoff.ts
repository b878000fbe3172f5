/**
 * Asking for a session whose owner lives but cannot be reached from here (PROTOCOLS section 4.1): brokers cut from each other
 * that both reach the coordination store. The claimant's side; the owner's is `handoff-owner.ts`.
 *
 * Only the question and its answer go through the store, at `handoff/<owner>/<incarnation>/<claimant>/<incarnation>/<number>`.
 * Where state is wanted the owner has a third node take the session, by two ordinary moves, and the claimant finds that one in
 * the record. Invariant: `consent` is answered only when the owner wrote it for this very question; every question is settled
 * exactly once within a bounded time, and its key is deleted or on this life's lease. A link that is just coming up is waited
 * for: the stream does it in one move.
 */
import type { ClientId, FencingToken, Incarnation, NodeId } from '../src/core/ids.ts'
import { limits } from '../src/core/limits.ts'
import type { Clock, Timer } from '../src/core/ports/clock.ts'
import type {
  CoordinationEntry,
  CoordinationStore,
  CoordinationWatch,
} from '../src/core/ports/coordination-store.ts'
import type { PeerTransport } from '../src/core/ports/peer-transport.ts'
import type { Random } from '../src/core/ports/random.ts'
import { decodeHandoffAnswer, encodeHandoffRequest, type HandoffAnswer } from './handoff-record.ts'
import type { CoordinationKeys, LifeName } from './keys.ts'
import type { ConsentAnswer } from './session-transfer-claimant.ts'
import { persistently, resultOf } from './store-calls.ts'

export interface HandoffContext {
  readonly store: CoordinationStore
  readonly clock: Clock
  readonly random: Random
  readonly keys: CoordinationKeys
  readonly nodeId: NodeId
  readonly transport: Pick<PeerTransport, 'isUp' | 'addPeerListener'>
  ownIncarnation(): Incarnation
  /** Of this node's lease, undefined while it may not act. */
  leaseId(): string | undefined
  /** The other members. */
  others(): readonly { readonly nodeId: NodeId; readonly state: string }[]
}

/** As `SessionTransfer.ask`. */
type Ask = (
  owner: LifeName,
  request: { readonly clientId: ClientId; readonly cleanStart: boolean },
  token: FencingToken,
  silenceMaxMs: number,
) => Promise<ConsentAnswer>

interface Question {
  readonly owner: LifeName
  readonly prefix: string
  readonly timer: Timer
  readonly settle: (answer: ConsentAnswer) => void
}

/** How long a link must have been missing. */
const LINK_PATIENCE_MS = 2000
/** Before what was refused is answered, so that whoever asks again does not do so at once. */
const REFUSED_PAUSE_MS = 500
/** How long it is tried to delete the key of a settled question. */
const WITHDRAW_MS = 60_000

export class SessionHandoff {
  /** Questions put through the store, and what came of them; `unanswered`: nothing within the time. */
  readonly stats: Record<'asked' | 'unanswered' | HandoffAnswer, number> = {
    asked: 0,
    consent: 0,
    moved: 0,
    retry: 0,
    refused: 0,
    unanswered: 0,
  }
  readonly #context: HandoffContext
  readonly #askByStream: Ask
  /** By key. */
  readonly #questions = new Map<string, Question>()
  /** Of the owners that are being asked, by prefix. */
  readonly #watches = new Map<string, { readonly watch: CoordinationWatch; questions: number }>()
  /** Monotonic ms since when there is no link, as far as that was noticed. */
  readonly #unlinkedSinceMs = new Map<NodeId, number>()
  #lastNumber = 0

  constructor(context: HandoffContext, askByStream: Ask) {
    this.#context = context
    this.#askByStream = askByStream
    context.transport.addPeerListener({
      onPeerUp: ({ nodeId }) => void this.#unlinkedSinceMs.delete(nodeId),
      onPeerDown: ({ nodeId }) => void this.#unlinkedSinceMs.set(nodeId, context.clock.now()),
    })
  }

  /** As `SessionTransfer.ask`; where there is no link to the owner, through the store. Never rejects. */
  async ask(...question: Parameters<Ask>): Promise<ConsentAnswer> {
    const [owner] = question
    const answer = await this.#askByStream(...question)
    return answer === 'unreachable' && this.#isCutFrom(owner.nodeId) ? this.#askByStore(...question) : answer
  }

  /** Those who are gone answer no more. */
  onMembersChanged(members: readonly LifeName[]): void {
    const isMember = ({ nodeId, incarnation }: LifeName): boolean =>
      members.some(member => member.nodeId === nodeId && member.incarnation === incarnation)
    for (const [key, { owner }] of [...this.#questions]) {
      if (!isMember(owner)) this.#settle(key, 'unanswered')
    }
    for (const nodeId of this.#unlinkedSinceMs.keys()) {
      if (!members.some(member => member.nodeId === nodeId)) this.#unlinkedSinceMs.delete(nodeId)
    }
  }

  close(): void {
    for (const key of [...this.#questions.keys()]) this.#settle(key, 'unanswered')
  }

  #isCutFrom(nodeId: NodeId): boolean {
    const { transport, clock } = this.#context
    if (transport.isUp(nodeId)) return false
    const nowMs = clock.now()
    const sinceMs = this.#unlinkedSinceMs.get(nodeId) ?? nowMs
    this.#unlinkedSinceMs.set(nodeId, sinceMs)
    return nowMs - sinceMs >= LINK_PATIENCE_MS
  }

  #askByStore(
    owner: LifeName,
    { clientId, cleanStart }: Parameters<Ask>[1],
    token: FencingToken,
    withinMs: number,
  ): Promise<ConsentAnswer> {
    const { keys, nodeId, clock, transport } = this.#context
    const leaseId = this.#context.leaseId()
    if (leaseId === undefined || this.#questions.size >= limits.handoffsUnderWayMax) {
      return Promise.resolve('unreachable')
    }
    this.stats.asked++
    const self = { nodeId, incarnation: this.#context.ownIncarnation() }
    const prefix = keys.handoffsBetween(owner, self)
    const key = prefix + String(++this.#lastNumber)
    const reaches = this.#context
      .others()
      .map(other => other.nodeId)
      .filter(other => transport.isUp(other))
    const value = encodeHandoffRequest({ clientId, token, cleanStart, reaches })
    return new Promise(settle => {
      const timer = clock.schedule(withinMs, () => this.#settle(key, 'unanswered'))
      this.#questions.set(key, { owner, prefix, timer, settle })
      this.#listen(prefix)
      void this.#put(key, value, leaseId)
    })
  }

  async #put(key: string, value: Uint8Array, leaseId: string): Promise<void> {
    const { store } = this.#context
    const success = [{ type: 'put', key, value, leaseId } as const]
    const { outcome } = await store.transact({ compare: [], success, failure: [] })
    if (outcome === 'unavailable') this.#settle(key, 'unanswered')
  }

  #listen(prefix: string): void {
    const watched = this.#watches.get(prefix)
    if (watched !== undefined) {
      watched.questions++
      return
    }
    const hear = (entry: CoordinationEntry): void => {
      const answer = decodeHandoffAnswer(entry.value)
      if (answer !== undefined) this.#settle(entry.key, answer)
    }
    const watch = this.#context.store.watch(prefix, {
      onReset: entries => entries.forEach(hear),
      onEvents: events => {
        for (const event of events) if (event.type === 'put') hear(event.entry)
      },
    })
    this.#watches.set(prefix, { watch, questions: 1 })
  }

  #settle(key: string, answer: HandoffAnswer | 'unanswered'): void {
    const question = this.#questions.get(key)
    if (question === undefined) return
    this.#questions.delete(key)
    question.timer.cancel()
    this.stats[answer]++
    const watched = this.#watches.get(question.prefix)
    if (watched !== undefined && --watched.questions === 0) {
      this.#watches.delete(question.prefix)
      watched.watch.close()
    }
    void this.#withdraw(key)
    if (answer === 'consent') question.settle('consent')
    else if (answer === 'moved' || answer === 'retry') question.settle('retry')
    else if (answer === 'unanswered') question.settle('unreachable')
    else this.#context.clock.schedule(REFUSED_PAUSE_MS, () => question.settle('unreachable'))
  }

  /** Else it goes with this life's lease. */
  async #withdraw(key: string): Promise<void> {
    const { store } = this.#context
    const deletion = { compare: [], success: [{ type: 'delete', key } as const], failure: [] }
    try {
      await persistently(this.#context, WITHDRAW_MS, async () => resultOf(await store.transact(deletion)))
    } catch {
      // The store has been away for a minute, or this node leaves.
    }
  }
}
