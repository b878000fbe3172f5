import type { ClientId, FencingToken, NodeId } from '../ids.ts'
import type { MessageId } from '../publication.ts'
import type {
  DepartureMark,
  QueuedRecord,
  SessionPart,
  SessionRecord,
  StagedOrigin,
  WillRecord,
} from './session-journal.ts'

/** What a CONNECT asks of ownership. */
export interface ClaimRequest {
  readonly clientId: ClientId
  /** State held anywhere is to be discarded, not moved here. */
  readonly cleanStart: boolean
  /** Seconds the session outlives its connection, kept in the record so that the leader can end the sessions of a dead node. */
  readonly expiryIntervalSeconds: number
  /** Kept where it survives this node, in the claim's own transaction; replaces whatever will the client had before. */
  readonly will: WillRecord | undefined
}

export type ClaimAnswer =
  | {
      readonly status: 'claimed'
      readonly token: FencingToken
      /**
       * Token of this node's own earlier ownership when nobody owned the session in between: state stored under exactly this
       * token may be resumed. Otherwise the session starts fresh, or with what was staged.
       */
      readonly resumableToken: FencingToken | undefined
      /** The previous owner handed the complete session over: it was given to `SessionHolder.stage`, and is in force now. */
      readonly isTransferred: boolean
    }
  | {
      readonly status: 'refused'
      /**
       * `unavailable`: the coordination store does not answer. `owner-unreachable`: the owner lives but cannot be asked.
       * `owner-lost`: the owner is dead, holds state this client wants, and `sessions.onOwnerLost` says to wait for it.
       * `contended`: other nodes kept winning. `suspended`: this node cannot hold its lease. `quota`: the coordination store
       * is nearly full and takes no new persistent sessions.
       */
      readonly reason: ClaimRefusal
    }

export type ClaimRefusal =
  'unavailable' | 'owner-unreachable' | 'owner-lost' | 'contended' | 'suspended' | 'quota'

/** A whole session on its way to another node (PROTOCOLS section 4.2), as of the moment it was frozen. */
export interface SessionSnapshot {
  /** Its departure mark gives the position from which messages follow as the tail. */
  readonly session: SessionRecord
  /** Subscriptions, then the queue in order of position, then the rest. */
  readonly parts: Iterable<SessionPart>
}

/**
 * `frozen`: the snapshot will follow, unless the session is thawed or surrendered first. `busy`: it is just being handed to
 * another node. `nothing`: nothing is held under that token that outlives its connection.
 */
export type FreezeAnswer = 'frozen' | 'busy' | 'nothing'

/**
 * What a new owner says to messages that reached an old one: up to which position they are here, durable once `whenKept`
 * called back; `later`: the session is just coming or going; `gone`: nobody here waits for them.
 */
export type TailAnswer = { readonly position: number; readonly isRouted: boolean } | 'later' | 'gone'

/** A session on its way out. */
export interface LeavingSession {
  readonly clientId: ClientId
  readonly token: FencingToken
  readonly departure: DepartureMark
}

/**
 * The side of the node that holds clients: told when ownership leaves, and what arrives with it.
 *
 * A move, as the old owner sees it: `freeze` → the snapshot → `tail` and `tailKept`, again and again → once the new owner's
 * routes are in force, `withdrawShared` and `whenFlushed` → `withdraw` → the rest of the tail → `forget`; or `thaw` when the other node did not take it. As the new owner sees it: `beginStaged` → `stage` …
 * → a claim answered `isTransferred`, which puts what was staged in force, or `unstage` → `takeTail` …
 */
export interface SessionHolder {
  /**
   * Another node takes the session over and wants nothing of its state: stop serving its client (0x8E) and forget it, in
   * this turn. Unknown client ids are fine.
   */
  surrender(clientId: ClientId): void

  /** An earlier life of this node has claimed the stored session again: what it is stored under is this token by now. */
  renew(clientId: ClientId, token: FencingToken): void

  /**
   * Stops serving the client (0x8E). Once everything it published has been accepted, and the departure is on disk, `done` is
   * called with the state; what arrives for the session meanwhile is queued durably. For a session that is leaving for the
   * same node already it begins anew, under the same mark.
   */
  freeze(
    clientId: ClientId,
    token: FencingToken,
    to: NodeId,
    done: (snapshot: SessionSnapshot) => void,
  ): FreezeAnswer
  /**
   * Whether a node that saw this one own the session under `token` may have it: not when it is on its way to another node, or has
   * changed owners since, both of which that node would find in the record by now.
   */
  mayBeGiven(clientId: ClientId, token: FencingToken, to: NodeId): boolean
  /** Whether the session is still on its way out under that token: a claim of this node may have ended the move. */
  isLeaving(clientId: ClientId, token: FencingToken): boolean
  /** The record has changed owners: should it be missing one day, it is not this node's to write again. */
  given(clientId: ClientId): void
  /** Nobody took it, and nobody can any more: it is this node's again, to be claimed by the next CONNECT. */
  thaw(clientId: ClientId): void
  /** Messages of the tail from `position` on, the oldest, at most `messagesMax`. */
  tail(clientId: ClientId, position: number, messagesMax: number): readonly QueuedRecord[]
  /** The new owner has everything below `position`: it need not be kept here. */
  tailKept(clientId: ClientId, position: number): void
  /**
   * The new owner's routes are in force everywhere: of shared subscriptions it alone is a member from now on, after a restart of
   * this node too when that is kept.
   */
  withdrawShared(clientId: ClientId): void
  /** As `Forwarder.whenFlushed`. */
  whenFlushed(heard: (owing: readonly NodeId[]) => void): void
  /**
   * The new owner's routes are in force everywhere, and nothing is on its way by the old ones: they end. Answers up to which
   * number of each incarnation the session has had, or has in its tail, everything.
   */
  withdraw(clientId: ClientId): readonly MessageId[]
  /** The new owner has all there was. */
  forget(clientId: ClientId): void
  /** Sessions that were leaving when the process died. */
  leaving(): readonly LeavingSession[]

  /** What `from` hands over begins to arrive; what was staged under that client id before is discarded. */
  beginStaged(record: SessionRecord, from: StagedOrigin): void
  /** False: it is nothing a session can have. */
  stage(clientId: ClientId, part: SessionPart): boolean
  /** The claim did not succeed. Nothing staged is fine. */
  unstage(clientId: ClientId): void
  /** Calls back, never inside this call, when all that was staged and taken up to now is on disk. */
  whenKept(done: () => void): void
  /** Messages that reached `from` while the session moved; those that came here directly as well are dropped. */
  takeTail(clientId: ClientId, from: StagedOrigin, entries: readonly QueuedRecord[]): TailAnswer
  /** What came here directly may be delivered now, but for that of nodes from which more may follow: these are gone. */
  tailCaughtUp(clientId: ClientId, from: StagedOrigin, owing: readonly NodeId[]): void
  /** Nothing more will follow. `floors`: as `withdraw` answered. */
  endTail(clientId: ClientId, from: StagedOrigin, floors: readonly MessageId[]): void
  /** Seconds a session held here outlives its connection; undefined when there is none. */
  expiryOf(clientId: ClientId): number | undefined
  /** The will kept for the session: published unless its client prevents it. `dueAtMs` (wall clock): its client has gone. */
  willOf(clientId: ClientId): { readonly will: WillRecord; readonly dueAtMs: number | undefined } | undefined
  /**
   * The leader took this node for dead while that was no member, and has published the session's will: whoever relies on it takes its
   * client for gone, so its connection ends, without a will. Unknown client ids, and clients without a will, are fine.
   */
  willPublished(clientId: ClientId): void
  /** Sessions on disk that this life has not claimed, those on their way out aside. */
  unclaimed(): Iterable<{ readonly clientId: ClientId; readonly token: FencingToken }>
  /** Claims the session from its owner though its client is not here. False when that did not succeed. */
  adopt(clientId: ClientId, expiryIntervalSeconds: number): Promise<boolean>
}

/** Who may serve a client id, cluster-wide (DESIGN section 4.1). */
export interface SessionOwnership {
  /**
   * Makes this node the owner, taking the session from another with its consent. Settles within a bounded time and never
   * rejects. Not to be called again for the same client id before it settled.
   */
  claim(request: ClaimRequest): Promise<ClaimAnswer>
  /** Gives up an ownership, lazily, unless it has been taken in the meantime. */
  release(clientId: ClientId, token: FencingToken): void
  /**
   * A client connected again where it was, which claims nothing: its new will, or that it has none, replaces the kept one.
   * Resolves when it is kept, false when that could not be done; undefined wills resolve at once and go lazily. `dueAtMs`
   * (wall clock): its client has gone, and it is to be published then unless the client returns.
   */
  setWill(
    clientId: ClientId,
    token: FencingToken,
    will: WillRecord | undefined,
    dueAtMs?: number,
  ): Promise<boolean>
  /**
   * The session shall outlive its connection by so many seconds from now on, as a DISCONNECT or a CONNECT where it was has
   * said: kept lazily, unless it has been given up meanwhile. Nothing is written where it is kept already.
   */
  setExpiry(clientId: ClientId, token: FencingToken, expiryIntervalSeconds: number): void
  /** Asks `nodeId` to claim the session, with its state, though its client is not there. False when it did not. */
  offer(clientId: ClientId, nodeId: NodeId): Promise<boolean>
  /**
   * Whether this node may act for its clients at this instant. Checked in the same turn as every acknowledgement leaves;
   * while false the node is suspended: no QoS ≥ 1 acknowledgement, delivery or session change.
   */
  mayAcknowledge(): boolean
}
