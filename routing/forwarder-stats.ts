import type { NodeId } from '../src/core/ids.ts'
import type { OutboxStats } from './peer-queue.ts'

export interface ForwarderStats extends OutboxStats {
  /** Publications handed to the transport, resends included. */
  sent: number
  /** QoS 0 not sent: no link, or its queue was full. */
  dropped: number
  /** QoS ≥ 1 given up: its node left holding nothing, or was forgotten. */
  abandoned: number
  /** Malformed frames. */
  rejected: number
  /** Times a peer was late, so that its outbox came into use. */
  lateness: number
  /** Publications given to a node whose queue was full: their publishers were not read further until it had room. */
  heldBack: number
  /** Publications taken over from the earlier nodes of their publishers, to be sent before what these publish here. */
  debtsTaken: number
  /** Publishers that moved without what was owed of theirs, for it was too much: it may arrive behind what they published later. */
  debtsLeft: number
}

export function newForwarderStats(): ForwarderStats {
  return {
    sent: 0,
    dropped: 0,
    abandoned: 0,
    rejected: 0,
    lateness: 0,
    heldBack: 0,
    debtsTaken: 0,
    debtsLeft: 0,
    stored: 0,
    outboxDropped: 0,
    outboxExpired: 0,
  }
}

/** What waits for one node. */
export interface ForwardQueueStatus {
  readonly nodeId: NodeId
  readonly presence: 'member' | 'away' | 'forgotten'
  /** Publications at QoS ≥ 1 it has not accepted. */
  readonly waiting: number
  readonly isThroughOutbox: boolean
  /** Who publishes something for it is not read until there is room. */
  readonly isFull: boolean
  readonly outboxMessages: number
  readonly outboxBytes: number
}
