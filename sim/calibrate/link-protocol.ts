import type { PeerAddress } from '../../src/core/ports/peer-transport.ts'

/** What a link process is asked, one request at a time; each is answered when it is done. */
export type LinkRequest =
  | { kind: 'addresses' }
  /** Lets each host know `peers`; done when all of its links are up. */
  | { kind: 'link'; peers: PeerAddress[] }
  /** The first host publishes messages at a steady rate. */
  | { kind: 'gossip'; perSecond: number; forMs: number }
  /** The first host sends a frame of `bytes` to each of `to` at a steady rate; `perSecond` null: as many as one link takes. */
  | { kind: 'frames'; to: string[]; bytes: number; perSecond: number | null; forMs: number }
  /** What was sent and received since the last time, and CPU time since the start. */
  | { kind: 'take' }

/** Number of a message, and when, in µs of a clock that all processes of the machine share. */
export type Seen = [number: number, atUs: number]

export interface LinkTaken {
  readonly atUs: number
  readonly cpuUs: number
  readonly sent: Seen[]
  /** Of all hosts together. */
  readonly received: Seen[]
  readonly receivedBytes: number
}

export type LinkAnswer = { addresses: PeerAddress[] } | { taken: LinkTaken } | { done: true }
