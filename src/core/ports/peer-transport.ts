import type { Incarnation, NodeId } from '../ids.ts'

/** Each channel is a stream of its own in each direction, so that a large snapshot does not hold up publishes. */
export type PeerChannel = 'forward' | 'interest' | 'session' | 'retained'

/** A member this node may talk to, and how. */
export interface PeerAddress {
  readonly nodeId: NodeId
  readonly incarnation: Incarnation
  /** libp2p peer id, the identity proven by the encrypted handshake. */
  readonly peerId: string
  /** Multiaddrs to dial. */
  readonly addresses: readonly string[]
}

export interface PeerListener {
  /** All channels are open both ways; frames may be sent and will arrive from now on. */
  onPeerUp(peer: PeerAddress): void
  /** The link is gone; nothing more arrives from it. Follows every `onPeerUp` unless the transport is closed. */
  onPeerDown(peer: PeerAddress): void
}

/**
 * Frames between brokers over long-lived streams, full mesh.
 *
 * Ordering: per peer and channel, frames arrive in the order sent, between one `onPeerUp` and the next `onPeerDown`.
 * Loss: when a link goes down any suffix of the frames sent on it may be missing; never one in the middle. Duplication:
 * none. Identity: a frame handed to a listener comes from the incarnation named, proven by peer id; anybody who is not in
 * `setMembers` cannot connect. Silence: a peer not heard of for some seconds is down. Failure: a bad frame from a peer closes that link, which is then dialled again with
 * backoff; nothing throws.
 */
export interface PeerTransport {
  /** This node, with the addresses others can dial. */
  readonly self: { readonly peerId: string; readonly addresses: readonly string[] }
  /** Says who this node is; before it no link comes up. Called once. */
  start(nodeId: NodeId, incarnation: Incarnation): void
  /** Replaces the set of peers, self left out. Links to others are closed; missing ones are dialled until they are up. */
  setMembers(members: readonly PeerAddress[]): void
  /** Whether the link is up: `send` can succeed. */
  isUp(nodeId: NodeId): boolean
  /**
   * Queues a frame (copied, at least one byte) for the peer; sent with others once per tick. False when the link is not up or the channel's
   * queue is over `limits.peerQueueBytesMax`: the frame was not taken. After a false from a full queue `onDrain` follows.
   */
  send(nodeId: NodeId, channel: PeerChannel, frame: Uint8Array): boolean
  /**
   * As `send`, for many small pieces that need no frame each: [start, end) of `source` goes into a frame that begins with `head`. Pieces
   * sent one after the other with the same `head`, the very object, may share a frame, in order and gap-free. Neither may change
   * before the tick is over: pieces that lie together in `source` are copied at its end, in one go.
   */
  sendPiece(
    nodeId: NodeId,
    channel: PeerChannel,
    head: Uint8Array,
    source: Uint8Array,
    start: number,
    end: number,
  ): boolean
  /**
   * One listener per channel. The bytes of a frame do not change any more; who keeps a part of it keeps the network chunk around it.
   */
  onFrame(channel: PeerChannel, listener: (from: PeerAddress, frame: Uint8Array) => void): void
  /** The queue to `nodeId` on `channel` is below half of its limit again. */
  onDrain(listener: (nodeId: NodeId, channel: PeerChannel) => void): void
  addPeerListener(listener: PeerListener): void
  /** Closes a link that misbehaved; it is dialled again after backoff. */
  disconnect(nodeId: NodeId, reason: string): void
  close(): Promise<void>
}
