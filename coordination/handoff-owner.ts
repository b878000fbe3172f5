/**
 * The owner's side of asking through the store (see `session-handoff.ts`): consents where no state is wanted or held, else has
 * a third node that both sides reach take the session, and answers on the key of the question.
 *
 * It moves nothing itself: the third node claims the session as it would for its client, and the claimant claims it there.
 * Invariant: an answer is written only over the question it is for, and `consent` only after the session was given up; so
 * whoever dies on the way leaves at most a session that nobody serves, under a record that says who may.
 */
import type { ClientId, Incarnation, NodeId } from '../src/core/ids.ts'
import { limits } from '../src/core/limits.ts'
import type {
  CoordinationEntry,
  CoordinationStore,
  CoordinationWatch,
} from '../src/core/ports/coordination-store.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { SessionHolder } from '../src/core/ports/session-ownership.ts'
import {
  decodeHandoffRequest,
  encodeHandoffAnswer,
  type HandoffAnswer,
  type HandoffRequest,
} from './handoff-record.ts'
import { sessionBucket } from './keys.ts'
import type { HandoffContext } from './session-handoff.ts'
import type { SessionTransfer } from './session-transfer.ts'
import type { ConsentRules } from './session-transfer-owner.ts'
import { isAtRevision } from './store-calls.ts'

interface OwnerContext extends HandoffContext {
  readonly store: CoordinationStore
  readonly logger: Logger
}

/** Nodes to which one session is offered before it is refused. */
const OFFERS_MAX = 2

export class HandoffOwner {
  readonly #context: OwnerContext
  readonly #transfer: Pick<SessionTransfer, 'consentClean' | 'isStaged' | 'offer'>
  readonly #rules: Pick<ConsentRules, 'mayLeave'>
  /** Keys of questions being answered. */
  readonly #underWay = new Set<string>()
  #holder: SessionHolder | undefined
  #watch: CoordinationWatch | undefined

  constructor(
    context: OwnerContext,
    transfer: Pick<SessionTransfer, 'consentClean' | 'isStaged' | 'offer'>,
    rules: Pick<ConsentRules, 'mayLeave'>,
  ) {
    this.#context = context
    this.#transfer = transfer
    this.#rules = rules
  }

  /** Names who holds the sessions. */
  serve(holder: SessionHolder): void {
    this.#holder = holder
  }

  /** From now on questions to this life are answered. */
  start(incarnation: Incarnation): void {
    const { store, keys, nodeId } = this.#context
    this.#watch = store.watch(keys.handoffsTo({ nodeId, incarnation }), {
      onReset: entries => entries.forEach(entry => this.#onEntry(entry)),
      onEvents: events => {
        for (const event of events) if (event.type === 'put') this.#onEntry(event.entry)
      },
    })
  }

  close(): void {
    this.#watch?.close()
  }

  #onEntry(entry: CoordinationEntry): void {
    const request = decodeHandoffRequest(entry.value)
    // A node that may not act stays silent; who asked will ask again.
    if (request === undefined || this.#context.leaseId() === undefined) return
    if (this.#underWay.has(entry.key)) return
    this.#underWay.add(entry.key)
    void this.#answer(entry, request).finally(() => this.#underWay.delete(entry.key))
  }

  async #answer({ key, modRevision, leaseId }: CoordinationEntry, request: HandoffRequest): Promise<void> {
    const claimant = this.#context.keys.claimantOf(key)
    const answer = claimant === undefined ? 'retry' : await this.#decide(request, claimant)
    // On the claimant's lease, as the question was. One that cannot be written is asked for again.
    await this.#context.store.transact({
      compare: [isAtRevision(key, modRevision)],
      success: [{ type: 'put', key, value: encodeHandoffAnswer(answer), leaseId }],
      failure: [],
    })
    this.#context.logger.debug('a node without a link to this one has asked for a session', {
      clientId: request.clientId,
      claimant,
      answer,
    })
  }

  async #decide(
    { clientId, token, cleanStart, reaches }: HandoffRequest,
    claimant: NodeId,
  ): Promise<HandoffAnswer> {
    if (this.#holder === undefined || !this.#rules.mayLeave(clientId, token)) return 'retry'
    // What is staged here may be in force by the record, which this node would learn with its next claim.
    if (!cleanStart && this.#transfer.isStaged(clientId)) return 'retry'
    const expirySeconds = this.#holder.expiryOf(clientId) ?? 0
    if (cleanStart || expirySeconds === 0) return this.#transfer.consentClean(clientId, token, claimant)
    if (this.#underWay.size > limits.handoffsUnderWayMax) return 'refused'
    for (const nodeId of this.#between(clientId, reaches, claimant)) {
      if (await this.#transfer.offer(clientId, nodeId, expirySeconds)) return 'moved'
    }
    return 'refused'
  }

  /** Who can take the session in between; not always the same one. */
  #between(clientId: ClientId, reaches: readonly NodeId[], claimant: NodeId): NodeId[] {
    const { transport } = this.#context
    const nodeIds = this.#context
      .others()
      .filter(({ nodeId, state }) => state === 'ready' && nodeId !== claimant)
      .map(({ nodeId }) => nodeId)
      .filter(nodeId => reaches.includes(nodeId) && transport.isUp(nodeId))
    const first = nodeIds.length === 0 ? 0 : sessionBucket(clientId) % nodeIds.length
    return [...nodeIds.slice(first), ...nodeIds.slice(0, first)].slice(0, OFFERS_MAX)
  }
}
