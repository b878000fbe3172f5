import type { ClientId } from '../core/ids.ts'
import type { QueuedRecord } from '../core/ports/session-journal.ts'
import type { SessionHolder } from '../core/ports/session-ownership.ts'
import type { Session } from './session.ts'

/** What CONNECTs and moving sessions need of who keeps all sessions. */
export interface SessionKeeper {
  get(clientId: ClientId): Session | undefined
  all(): Iterable<Session>
  /** Whether a claim of this client id is under way. */
  isClaiming(clientId: ClientId): boolean
  /** In the place of the one there may be, which has been taken out of routing. */
  put(session: Session): void
  /** Ends its connection, or the one about to be established (0x8E). */
  stopServing(session: Session): void
  /** Another node wants nothing of it: ends its connection and the session. */
  surrender(clientId: ClientId): void
  /** Takes it out of routing and the journal, and publishes a will that was pending. Its ownership is another's. */
  end(session: Session): void
  /** As `end`, of a session that is this node's: gives up its ownership, too. */
  endOwned(session: Session): void
  /** Ends its connection, if it has one, as a later CONNECT's takes its place (0x8E): the session has lost its client. */
  replaceClient(session: Session): void
  /** What others of its shared subscriptions are to have, within a change of the journal in which it is replaced by another. */
  bequeath(session: Session): void
  /** What others are to have of what has followed the session, within a change of the journal. */
  leave(session: Session, messages: readonly QueuedRecord[]): void
  /** As `SessionHolder.willOf`. */
  willOf(clientId: ClientId): ReturnType<SessionHolder['willOf']>
  cancelWill(clientId: ClientId): void
  /** As `SessionHolder.willPublished`. */
  willPublished(clientId: ClientId): void
  /** The will of a session that stays here without its client counts on. */
  resumeWill(session: Session): void
  /** As `SessionEstablisher.claimUnattended`. */
  claimUnattended(clientId: ClientId, expiryIntervalSeconds: number): Promise<boolean>
}
