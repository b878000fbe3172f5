import type { Incarnation, NodeId } from '../ids.ts'

/** By what the changes of subscriptions travel: gossip between the nodes, or keys in the coordination store. */
export type SubscriptionMode = 'gossip' | 'etcd'

/**
 * Steps of a switch, in order. `write-both`: every node writes its interest both ways. `compare`: every node compares what
 * the two ways bring of every other. `cut-over`: every node takes what either brings. `stop-old`: every node writes the new
 * way only.
 */
export type SwitchPhase = 'write-both' | 'compare' | 'cut-over' | 'stop-old'

/** What the mode, or the phase of a switch, asks of a node. */
export interface FeedPlan {
  readonly writes: readonly SubscriptionMode[]
  /** What other nodes' interest is taken from. */
  readonly reads: readonly SubscriptionMode[]
  /** The feed to be compared with the one that is read. */
  readonly compares: SubscriptionMode | undefined
}

/** How far a node has come with its plan. */
export interface FeedProgress {
  readonly isDone: boolean
  /** Lives, as `<node>/<incarnation>`, of which both feeds were found to say the same. */
  readonly compared: readonly string[]
  /** Why the switch must not go on, for operators. */
  readonly fault: string | undefined
}

/** A node's feeds, as whoever follows the cluster's mode moves them. */
export interface InterestFeedSwitch {
  /** Takes up a plan in place of the one before; calls back from now on, never inside this call, whenever progress changes. */
  follow(plan: FeedPlan, onProgress: (progress: FeedProgress) => void): void
}

/** A switch under way, as the node that is asked sees it. */
export interface SwitchStatus {
  readonly from: SubscriptionMode
  readonly to: SubscriptionMode
  readonly phase: SwitchPhase
  /** Wall clock ms, by the nodes that wrote them. */
  readonly startedAtMs: number
  readonly phaseAtMs: number
  readonly requestedBy: NodeId
  /** Members that have done what the phase asks, and all members. */
  readonly done: readonly NodeId[]
  readonly members: readonly NodeId[]
}

/** How a switch ended. */
export interface PastSwitch {
  /** The epoch in which it ended. */
  readonly epoch: number
  readonly from: SubscriptionMode
  readonly to: SubscriptionMode
  readonly outcome: 'switched' | 'aborted'
  /** Why it was aborted; undefined when it was not. */
  readonly reason: string | undefined
  readonly startedAtMs: number
  readonly endedAtMs: number
}

export interface ModeStatus {
  /** The feed that counts; while a switch is under way, the old one. */
  readonly mode: SubscriptionMode
  /** Rises with every phase of every switch. */
  readonly epoch: number
  readonly current: SwitchStatus | undefined
  readonly last: PastSwitch | undefined
}

export type ModeAnswer =
  /** Under way from `epoch` on; or, when `isChange` is false, the cluster has that mode already. */
  | { readonly isAccepted: true; readonly isChange: boolean; readonly epoch: number }
  /** `busy`: another switch is under way. `quota`: what would be written does not fit into the store. `joining`: too early. */
  | { readonly isAccepted: false; readonly refusal: 'busy' | 'quota' | 'joining'; readonly detail: string }

/** Names one life of a node in a list of lives. */
export function lifeName(nodeId: NodeId, incarnation: Incarnation): string {
  return `${nodeId}/${incarnation}`
}
