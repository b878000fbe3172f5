import type { PeerAddress } from './peer-transport.ts'

/** `joining`: does not take clients yet. `ready`: serves. `draining`: about to leave, takes no new clients. */
export type MemberState = 'joining' | 'ready' | 'draining'

/** How much a member has to do. */
export interface MemberLoad {
  readonly connections: number
  readonly sessions: number
  readonly subscriptions: number
}

/** What a node publishes about itself under its lease. */
export interface MemberDescription {
  readonly peerId: string
  readonly addresses: readonly string[]
  readonly state: MemberState
  /** Version of this software. */
  readonly version: string
  /** `host:port` clients connect to. */
  readonly mqttAddress: string
  /** Base URL of the admin HTTP interface. */
  readonly adminUrl: string
  /** Wall clock ms of the process's start. */
  readonly startedAtMs: number
  /** Changes with the directory, its host and its lock: an earlier life with the same one cannot run any more. */
  readonly dataDirId?: string
  /** Epoch of the coordination store in which everything this node has was last claimed; absent: it does not say. */
  readonly claimedEpoch?: number
  /** Some seconds old. Alone it is no change of members of which anybody is told. */
  readonly load?: MemberLoad
  /** What ails it, for operators; absent when nothing does. */
  readonly health?: string
}

/** One live member of the cluster. */
export interface Member extends PeerAddress, MemberDescription {}
