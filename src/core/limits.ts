/**
 * Every bound of a node that is not a configuration key, in one place (DESIGN section 4.6). Units are last in
 * the name. What happens at each bound is said beside it, and is counted where a counter is named.
 */
export const limits = {
  /** Longer client ids are refused with 0x85 (v5) or 2 (v3.1.1). */
  clientIdBytesMax: 256,
  /** Bytes before a complete CONNECT; more closes the connection. */
  connectPacketBytesMax: 64 * 1024,
  /** A connection that has not sent a complete CONNECT by then is closed. */
  connectTimeoutMs: 10_000,
  /** SUBSCRIBE with more filters is answered with 0x97 per excess filter. */
  filtersPerSubscribeMax: 512,
  /** User properties in one packet; more is a protocol error (0x82). */
  userPropertiesMax: 1024,
  /** Bytes waiting to leave for one client; beyond it QoS 0 is dropped (counted) and QoS ≥ 1 stays in the session. */
  clientOutputBytesMax: 8 * 1024 * 1024,
  /** Listen backlog; short backlogs make connection storms wait a second for a SYN retry. */
  listenBacklog: 8192,
  /** Topics, and subscribers or nodes of all of them together, in a routing cache; it is emptied when full. */
  topicCacheEntriesMax: 8_192,
  topicCacheItemsMax: 1_000_000,
  /** Longer topics are matched anew each time. */
  cachedTopicLengthMax: 512,

  /** `mqtt.packetBytesMax` may not be larger, so that every publication fits into a frame between brokers. */
  packetBytesMax: 16 * 1024 * 1024,
  /** One frame between brokers; a longer announced length closes that peer stream. */
  peerFrameBytesMax: 17 * 1024 * 1024,
  /** Bytes waiting for one peer on one channel; beyond it `PeerTransport.send` answers false. */
  peerQueueBytesMax: 32 * 1024 * 1024,
  /** Publications at QoS ≥ 1 waiting for one peer's acceptance; beyond it publishers are not read. */
  forwardUnacceptedMax: 65_536,
  /** One gossip message; larger interest changes are split or pulled by stream. */
  gossipMessageBytesMax: 128 * 1024,
  /** Interest deltas of one origin held back while an earlier one is missing; beyond it a snapshot is pulled. */
  gossipBufferedDeltasMax: 1024,

  /** One coordination value; larger writes are refused. */
  coordinationValueBytesMax: 64 * 1024,
  /** Operations of one coordination transaction, nested ones included (etcd's own default). */
  coordinationTransactionOpsMax: 128,
  /** Past events an embedded coordination store keeps for watchers that start from an older revision. */
  coordinationHistoryEventsMax: 100_000,
  /** Claims this node has under way at the coordination store; later ones wait. */
  claimsUnderWayMax: 256,
  /** Claims waiting for their turn; later ones are refused as unavailable. */
  claimsWaitingMax: 100_000,
  /** Ownerships waiting to be given up; a later release leaves its record, which the next claim takes over. */
  releasesWaitingMax: 100_000,
  /** One frame by which a node asks another for a session; a longer one closes the link. */
  sessionFrameBytesMax: 4096,
} as const
