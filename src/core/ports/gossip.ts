/**
 * Best-effort broadcast to all members.
 *
 * Ordering: none. Loss: any message, at any receiver. Duplication: possible. A node does not receive its own messages.
 * Identity: `from` is the peer id of whoever published the message, proven, whichever way it came. Failure: `publish` never throws; false means it was certainly not sent (closed, or larger than
 * `limits.gossipMessageBytesMax`).
 */
export interface Gossip {
  publish(message: Uint8Array): boolean
  /** One listener. The message is valid only during the call. */
  onMessage(listener: GossipListener): void
}

export type GossipListener = (message: Uint8Array, from: string) => void
