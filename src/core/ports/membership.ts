import type { PeerAddress } from './peer-transport.ts'

/** `joining`: does not take clients yet. `ready`: serves. `draining`: about to leave, takes no new clients. */
export type MemberState = 'joining' | 'ready' | 'draining'

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
}

/** One live member of the cluster. */
export interface Member extends PeerAddress, MemberDescription {}
