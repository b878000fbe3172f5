import type { ClientId, Incarnation, NodeId } from '../ids.ts'
import type { ModeAnswer, ModeStatus, SubscriptionMode } from './subscription-mode.ts'
import type { CoordinationStoreStatus } from './coordination-store.ts'

/** A session of the node that is asked, as it is now. */
export interface LocalSession {
  readonly clientId: ClientId
  readonly connected: boolean
  /** Address and port of the client; undefined while it is not connected. */
  readonly remote: string | undefined
  readonly subscriptions: number
  /** Messages at QoS ≥ 1 for the client, those in flight included. */
  readonly queued: number
  /** Messages at QoS ≥ 1 sent and not acknowledged. */
  readonly inflight: number
  /** Seconds the session outlives its connection; 0 = ends with it, 4294967295 = for ever. */
  readonly expiryIntervalSeconds: number
  /** Wall clock ms; undefined while it is connected. */
  readonly disconnectedAtMs: number | undefined
}

export interface SessionQuery {
  /** Client ids start with it; empty = all. */
  readonly prefix: string
  /** Undefined: connected or not. */
  readonly connected: boolean | undefined
  /** Most sessions in one page, ≥ 1. */
  readonly limit: number
}

/**
 * A part of a listing. Each session that is there from the first page to the last is on exactly one of them; one that comes
 * or goes meanwhile may be missing. A page may be short, even empty, though more follow.
 */
export interface SessionPage {
  readonly sessions: readonly LocalSession[]
  /** Names the next page, once; undefined: this was the last. */
  readonly next: string | undefined
}

/** Who owns a client id, as the coordination store has it, whatever node is asked. */
export interface SessionOwner {
  readonly nodeId: NodeId
  readonly incarnation: Incarnation
  /** Whether that life of the node is a member now. */
  readonly isLive: boolean
  /** Where to ask for more; undefined when no life of the node is a member. */
  readonly adminUrl: string | undefined
  /** Fencing token: rises with every change of owner. */
  readonly token: { readonly epoch: number; readonly revision: number }
  /** How the owner came by it: `new`, `reconnect`, `moved`, `clean`, `owner-lost`, `reclaimed`. */
  readonly how: string
  /** The owner before, if that was another node. */
  readonly from: NodeId | undefined
  /** Wall clock ms of the last change of owner. */
  readonly sinceMs: number
  /** Seconds, as of the last write of the record. */
  readonly expiryIntervalSeconds: number
  /** Size of key and value in the coordination store. */
  readonly recordBytes: number
}

export interface SessionDetails {
  readonly clientId: ClientId
  /** Undefined: nobody owns it. A session that ends with its connection has an owner, too, while it lasts. */
  readonly owner: SessionOwner | undefined
  /** Present when the node that is asked holds it. */
  readonly local: LocalSession | undefined
}

export interface DrainOptions {
  /** Connected clients asked to go per second, ≥ 1. */
  readonly ratePerSecond: number
  /** Drain although no other member is ready to take the sessions: they stay here, on disk. */
  readonly isForced: boolean
}

/**
 * `idle`: takes clients. `draining`: sends clients and sessions away. `drained`: has none left and may be stopped.
 */
export type DrainState = 'idle' | 'draining' | 'drained'

export interface DrainStatus {
  readonly state: DrainState
  /** Wall clock ms; undefined when idle. */
  readonly sinceMs: number | undefined
  readonly ratePerSecond: number | undefined
  /** Clients connected here, and sessions held here, now. */
  readonly connections: number
  readonly sessions: number
  /** Members that can take sessions. */
  readonly targets: readonly NodeId[]
  /** Clients asked to go, sessions handed over, and offers of sessions not taken (each is tried again), since the start. */
  readonly clientsAsked: number
  readonly sessionsMoved: number
  readonly offersRefused: number
  /** Messages taken from clients here that other members have not accepted yet, and those kept on disk for nodes that are gone. */
  readonly messagesForMembers: number
  readonly messagesForGone: number
  /** What keeps it from going on, for people; undefined when nothing does. */
  readonly waitingFor: string | undefined
}

export type DrainAnswer =
  | { readonly isStarted: true; readonly status: DrainStatus }
  /** `not-serving`: the node has not begun to serve, or stops. `alone`: no other member is ready. */
  | { readonly isStarted: false; readonly refusal: 'not-serving' | 'alone' }

/** The leader of the cluster and its history, as the node that is asked saw it. */
export interface LeaderStatus {
  readonly leader: NodeId | undefined
  /** Rises with every change of leader; undefined without a leader. */
  readonly term: number | undefined
  /** Wall clock ms at which this node learned of the term. */
  readonly sinceMs: number | undefined
  /** Terms before, as far as this node saw them, oldest first, bounded. */
  readonly previous: readonly {
    readonly leader: NodeId
    readonly term: number
    readonly sinceMs: number
    readonly untilMs: number
  }[]
}

/** What the node that is asked has done as leader, in all its terms; counts since its start. */
export interface LeaderDutyCounts {
  /** Parts of the session records read, of which a whole pass has 4096. */
  readonly bucketsRead: number
  /** Records of dead nodes' sessions that had ended, deleted. */
  readonly sessionsEnded: number
  /** Wills of dead nodes' clients published, repeats included, and those too large to be kept. */
  readonly willsPublished: number
  readonly willsLeftOut: number
  /** Keys nobody needed any more, deleted. */
  readonly keysDeleted: number
  readonly compactions: number
  readonly compactionsFailed: number
}

/** What the leader has found in the coordination store. */
export interface LeaderCensus {
  /** Session records by node, live or not; undefined until they were counted once, minutes after a change of leader. */
  readonly sessionsOfNode: ReadonlyMap<NodeId, number> | undefined
  /** Wall clock ms at which that count ended. */
  readonly countedAtMs: number | undefined
  /** Undefined until the store was asked. */
  readonly store: CoordinationStoreStatus | undefined
  /** Lives known to be dead whose sessions, wills or keys are not all dealt with, and since when, wall clock ms. */
  readonly dead: readonly {
    readonly nodeId: NodeId
    readonly incarnation: Incarnation
    readonly atMs: number
  }[]
}

/** What an operator may look up at, and have done by, one node. */
export interface NodeControl {
  leader(): LeaderStatus
  leaderDuties(): LeaderDutyCounts
  /** Undefined while the node does not lead. */
  census(): LeaderCensus | undefined
  /** The first page of the node's own sessions. */
  sessions(query: SessionQuery): SessionPage
  /** A further page; undefined when the name is unknown: used before, or given up in favour of later listings. */
  moreSessions(next: string): SessionPage | undefined
  /**
   * Gives up, on all members and those to come, what is kept for a node that will not return: messages at QoS ≥ 1 for its
   * sessions, and what they want. `member`: it is one, and nothing was done. Rejects with COORDINATION_UNAVAILABLE when it may
   * or may not have been done.
   */
  forgetNode(nodeId: NodeId): Promise<'forgotten' | 'member' | 'unknown'>
  /** Rejects with COORDINATION_UNAVAILABLE when the record cannot be read. */
  session(clientId: ClientId): Promise<SessionDetails>
  /** Begins to drain the node; when it drains already, the options change. */
  drain(options: DrainOptions): DrainAnswer
  /** The node takes clients again; what has gone is gone. Fine when it does not drain. */
  cancelDrain(): DrainStatus
  drainStatus(): DrainStatus
  /** The subscription mode of the cluster, and how far a switch has come. */
  mode(): ModeStatus
  /** Begins to switch it. Rejects with COORDINATION_UNAVAILABLE when it may or may not have begun. */
  setMode(to: SubscriptionMode): Promise<ModeAnswer>
}
