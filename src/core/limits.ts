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
  /** Tree nodes visited to match one topic against other nodes' wildcards; past it all nodes with any match (counted). */
  wildcardVisitsMax: 2048,
  /** Members of a cluster, this node included; the routing index refuses more. */
  clusterNodesMax: 1024,
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
  /** Ids of publications remembered per incarnation, twice; an older one that comes again is delivered again. */
  seenNumbersMax: 65_536,
  /** Incarnations whose ids are remembered; beyond it those of the one heard least recently are forgotten. */
  seenIncarnationsMax: 256,
  /** Nodes that are gone and for which messages are kept; beyond it the one longest gone is forgotten, and counted. */
  awayNodesMax: 64,
  /** Refused publications of shared subscriptions remembered per peer, to be refused again after a lost link. */
  refusalsMax: 1024,
  /** Nodes tried for one publication of a shared subscription; then it is dropped and counted. */
  sharedAttemptsMax: 8,
  /** The latest messages by which it is told how evenly members of a shared subscription are served, for each member. */
  sharedTallyPerMemberMax: 128,
  /** Fewer say nothing yet. */
  sharedTallyPerMemberMin: 16,
  /** Of a peer's outbox, publications and bytes read into memory ahead of their acceptance. */
  outboxWindowMessagesMax: 1024,
  outboxWindowBytesMax: 2 * 1024 * 1024,
  /** Ids of QoS 2 publications from other nodes kept on disk; one repeated after so many others is taken for new. */
  seenIdsKeptMax: 65_536,
  /** Deletions of retained messages remembered; beyond it the oldest is forgotten, and its message may come back. */
  retainedDeletionsMax: 1_000_000,
  /** Bytes of large retained messages' payloads in memory beside those kept; beyond it the one not used for longest goes. */
  retainedCacheBytesMax: 64 * 1024 * 1024,
  /** Such payloads asked of other nodes at once, and bytes of them, unless it is a single one; later ones wait. */
  retainedFetchesMax: 64,
  retainedFetchBytesMax: 32 * 1024 * 1024,
  /** A node asked for one that has not answered by then: another is asked too. */
  retainedAnswerMs: 2000,
  /** No new round of asking after so long: the message is not delivered, and counted. */
  retainedFetchMs: 5000,
  /** Who keeps large retained messages is settled anew so long after the last change of members: restarts are shorter. */
  retainedSettleMs: 10_000,
  /** Bytes of what one peer asked for in comparisons of retained messages and has not read; beyond it its link is closed. */
  retainedAskedBytesMax: 64 * 1024 * 1024,
  /** Comparisons of retained messages one peer may ask for per second, and at once after a pause; more closes its link. */
  retainedPassesPerSecondMax: 20,
  retainedPassesBurstMax: 200,
  /** One gossip message; larger interest changes are split or pulled by stream. */
  gossipMessageBytesMax: 128 * 1024,
  /** Interest deltas of one origin held back while an earlier one is missing; beyond it they are dropped and pulled. */
  gossipBufferedDeltasMax: 1024,
  gossipBufferedBytesMax: 8 * 1024 * 1024,
  /** Gossip messages of the whole cluster per second; beyond it deltas go by stream to each peer. */
  gossipMessagesPerSecondMax: 100,
  /** Gossip messages one member may publish per second, and at once after a pause; more closes its link, and is repaired. */
  gossipDeltasPerSecondMax: 200,
  gossipDeltasBurstMax: 2_000,
  /** Bytes of interest one peer may send per second, and at once after a pause; more closes its link. */
  interestBytesPerSecondMax: 32 * 1024 * 1024,
  interestBytesBurstMax: 256 * 1024 * 1024,
  /** Repairs one peer may ask for per second, and at once after a pause; more closes its link. */
  interestPullsPerSecondMax: 1,
  interestPullsBurstMax: 20,
  /** Filters with wildcards and shared subscriptions of one node; one with more is refused, and stays match-all. */
  interestPatternsMax: 2_000_000,
  /** Bytes on disk of the last interest of one node that is gone; a larger one is kept in memory only. */
  goneInterestBytesMax: 32 * 1024 * 1024,
  /** Subscriptions waiting for their barrier on one node; later ones fail at once. */
  barrierWaitsMax: 100_000,

  /** One coordination value; larger writes are refused. */
  coordinationValueBytesMax: 64 * 1024,
  /** One value of a node's interest in the coordination store; larger ones are split. */
  routeValueBytesMax: 32 * 1024,
  /** Changes, and bytes of them, in one transaction that writes interest there. */
  routeWriteChangesMax: 96,
  routeWriteBytesMax: 512 * 1024,
  /** Changes waiting to be written there; beyond it they are dropped and the whole interest is written anew. */
  routeQueueBytesMax: 8 * 1024 * 1024,
  /** Bytes and values of changes beside the last whole interest there; beyond either it is written anew. */
  routeLogBytesMax: 1024 * 1024,
  routeLogValuesMax: 512,
  /** Operations of one coordination transaction, nested ones included (etcd's own default). */
  coordinationTransactionOpsMax: 128,
  /** Past events an embedded coordination store keeps for watchers that start from an older revision. */
  coordinationHistoryEventsMax: 100_000,
  /** Claims this node has under way at the coordination store, several full batches; later ones wait. */
  claimsUnderWayMax: 1024,
  /** Claims waiting for their turn; later ones are refused as unavailable. */
  claimsWaitingMax: 100_000,
  /** Ownerships waiting to be given up; a later release leaves its record, which the next claim takes over. */
  releasesWaitingMax: 100_000,
  /** One frame by which a node asks another for a session; a longer one closes the link. */
  sessionFrameBytesMax: 4096,
  /** Frames one member may send about sessions per second, and at once after a pause: ten thousand sessions that move. More closes its link. */
  sessionFramesPerSecondMax: 20_000,
  sessionFramesBurstMax: 200_000,
  /** The same in bytes, of frames with messages that nobody here asked for. */
  sessionBytesPerSecondMax: 128 * 1024 * 1024,
  sessionBytesBurstMax: 2 * 1024 * 1024 * 1024,
  /** Bytes of a session that go into one frame, unless a single message is larger. */
  transferFrameBytes: 48 * 1024,
  /** The same of what follows a session, of which the next frame goes when the last one is on the other's disk. */
  tailFrameBytes: 96 * 1024,
  /** Messages waiting in a session, and bytes of them, that are handed over before its client is served; the rest follows. */
  snapshotMessagesMax: 256,
  snapshotBytesMax: 256 * 1024,
  /** A session that has not arrived by then is not waited for any longer. */
  transferMs: 20_000,
  /** Earlier owners from which messages of one session may still follow; those of the oldest are refused beyond it. */
  tailMarksMax: 8,
  /**
   * Ids remembered per session, and by a node for all of them, while messages may come both directly and from an old owner;
   * those that come beyond either bound may come twice.
   */
  tailIdsMax: 65_536,
  tailIdsTotalMax: 1_000_000,
  /**
   * Publications in outboxes, and bytes of them, that a session takes along when its client had published them; of more none is
   * taken, and what the client publishes next may overtake them (counted).
   */
  debtsMax: 10_000,
  debtBytesMax: 8 * 1024 * 1024,
  /** Incarnations of which a moved session knows what it has had; beyond it a late copy from an old one may come twice. */
  floorsMax: 64,
  /** Single publications it has had beyond that; beyond it one may come twice. */
  floorsBeyondMax: 256,
  /** Ranges of numbers a moved session may lack; beyond it what is repeated of the oldest incarnations does not reach it. */
  gapsMax: 64,
  /**
   * Messages that sessions which are over leave to other members of their shared subscriptions: given to those in one turn, and of
   * one session before the ones before are accepted; later ones wait.
   */
  estateMessagesPerTurnMax: 256,
  estatePageMessagesMax: 64,
  /** Wills that a session knows it has had, two transactions of the leader's; an older one that is published again may come twice. */
  hadWillsMax: 128,
  /** Questions for sessions of owners without a link that a node has in the coordination store; later ones fail at once. */
  handoffsUnderWayMax: 64,
  /** Sessions a draining node offers to others at once. */
  drainOffersUnderWayMax: 64,
  /** Sessions looked at for one page of a listing; the page may then be short, and the next goes on. */
  sessionsLookedAtPerPageMax: 20_000,
  /** Subscribers, nodes and groups listed by `explain`, and filters and reasons for each of them; the rest is counted. */
  explainedItemsMax: 100,
  explainedReasonsMax: 16,
  /** Traces under way at one node, begun here or elsewhere; more are refused. How long, and for how many publications per node. */
  tracesMax: 8,
  traceSecondsMax: 600,
  traceCountMax: 1000,
  /** Spans kept of one trace, and events and clients named in one span; more are left out, spans counted. */
  traceSpansMax: 20_000,
  traceEventsMax: 128,
  traceClientsMax: 10,
  /** One frame about a trace between nodes; a longer one closes the link, a span that does not fit is left out. */
  traceFrameBytesMax: 128 * 1024,
  /** Listings of sessions that have further pages; the oldest is given up for a later one. */
  sessionListingsOpenMax: 64,
} as const
