/**
 * A session that another node is handing over, as far as it has come: on this node's disk as well, and otherwise invisible.
 *
 * Invariant: what it has, a session can have; its messages are in the order of their positions.
 */
import { limits } from '../core/limits.ts'
import type { Debt } from '../core/ports/routing.ts'
import type {
  KnownRecord,
  ReceivedRecord,
  SessionPart,
  SessionRecord,
  StagedOrigin,
  StoredQueueEntry,
  StoredSession,
  SubscriptionRecord,
  WillRecord,
} from '../core/ports/session-journal.ts'
import { parseFilter } from './shared-filter.ts'
import { heldFrom } from './tail-marks.ts'

export class StagedSession {
  readonly record: SessionRecord
  readonly origin: StagedOrigin
  readonly subscriptions: SubscriptionRecord[] = []
  readonly queue: StoredQueueEntry[] = []
  /** Positions of those of its messages that were sent. */
  readonly sent = new Set<number>()
  readonly received: ReceivedRecord[] = []
  readonly known: KnownRecord[] = []
  readonly debts: Debt[] = []
  will: WillRecord | undefined
  #debtBytes = 0

  constructor(record: SessionRecord, origin: StagedOrigin) {
    this.record = record
    this.origin = origin
  }

  /**
   * What was staged when the process died; which of its messages had been sent is not stored: no more than `inflightMax`, and none
   * that waited for a tail.
   */
  static restore(stored: StoredSession, origin: StagedOrigin, inflightMax: number): StagedSession {
    const staged = new StagedSession(stored.session, origin)
    staged.subscriptions.push(...stored.subscriptions)
    staged.queue.push(...stored.queue)
    const held = heldFrom(stored.session.tails ?? [])
    for (const { position } of stored.queue.slice(0, inflightMax))
      if (position < held) staged.sent.add(position)
    staged.received.push(...stored.received)
    staged.known.push(...stored.known)
    staged.will = stored.will
    return staged
  }

  /** Whether a session can have that, behind what it has. */
  mayHave(part: SessionPart): boolean {
    if (part.type === 'subscription') return parseFilter(part.subscription.filter) !== undefined
    if (part.type === 'received') return part.packetId > 0
    if (part.type === 'debt')
      return (
        this.debts.length < limits.debtsMax && this.#debtBytes + part.debt.frame.length <= limits.debtBytesMax
      )
    return part.type !== 'entry' || part.entry.position > (this.queue.at(-1)?.position ?? -1)
  }

  /** Only what it may have. */
  add(part: SessionPart): void {
    switch (part.type) {
      case 'subscription':
        this.subscriptions.push(part.subscription)
        break
      case 'received':
        this.received.push({ packetId: part.packetId, id: part.id, isFromElsewhere: true })
        break
      case 'will':
        this.will = part.will
        break
      case 'known':
        this.known.push(part)
        break
      case 'debt':
        this.debts.push(part.debt)
        this.#debtBytes += part.debt.frame.length
        break
      case 'entry':
        this.queue.push(part.entry)
        if (part.wasSent) this.sent.add(part.entry.position)
    }
  }
}
