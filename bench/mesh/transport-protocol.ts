import type { PeerAddress } from '../../src/core/ports/peer-transport.ts'

/**
 * What is sent: plain PUBLISH packets as a publisher sent them · publications encoded one by one, as at QoS ≥ 1 · the same frame over
 * and over, counted and not looked at.
 */
export type TransportCodec = 'packets' | 'frames' | 'none'

/** What a transport process is asked, one request at a time; each but `send` is answered when it is done. */
export type TransportRequest =
  | { kind: 'address' }
  /** Answered when the link is up. */
  | { kind: 'link'; peer: PeerAddress }
  /** Frames are sent until the process ends, as fast as the link takes them. */
  | { kind: 'send'; to: string; payloadBytes: number; codec: TransportCodec }
  /** How what is received is decoded. */
  | { kind: 'receive'; codec: TransportCodec }
  | { kind: 'count' }

export interface TransportAnswer {
  address?: PeerAddress
  /** Publications received until `atMs` of this process's clock, and its CPU time until then. */
  count?: { publications: number; atMs: number; cpuSeconds: number }
}
