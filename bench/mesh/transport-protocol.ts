import type { PeerAddress } from '../../src/core/ports/peer-transport.ts'

/** What a transport process is asked, one request at a time; each but `send` is answered when it is done. */
export type TransportRequest =
  | { kind: 'address' }
  /** Answered when the link is up. */
  | { kind: 'link'; peer: PeerAddress }
  /** Frames are sent until the process ends, as fast as the link takes them. */
  | { kind: 'send'; to: string; payloadBytes: number; codec: boolean }
  /** Frames received are decoded, or only counted. */
  | { kind: 'receive'; codec: boolean }
  | { kind: 'count' }

export interface TransportAnswer {
  address?: PeerAddress
  /** Frames received until `atMs` of this process's clock, and its CPU time until then. */
  count?: { frames: number; atMs: number; cpuSeconds: number }
}
