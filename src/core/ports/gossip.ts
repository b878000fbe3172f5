/**
 * Best-effort broadcast to all members.
 *
 * Ordering: none. Loss: any message, at any receiver. Duplication: possible. A node does not receive its own messages.
 * Only members deliver. Failure: `publish` never throws; false means it was certainly not sent (closed, or larger than
 * `limits.gossipMessageBytesMax`).
 */
export interface Gossip {
  publish(message: Uint8Array): boolean
  /** One listener. The message is valid only during the call. */
  onMessage(listener: (message: Uint8Array) => void): void
}
