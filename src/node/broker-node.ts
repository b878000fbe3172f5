/**
 * One broker, made of the cores and handed its ports: where coordination, gossip, routing and MQTT meet.
 *
 * It decides the order of a node's life (restore, join, exchange interest, serve, leave) and passes events from one core to
 * the others; it holds no protocol of its own. It knows no adapter: `create-node.ts` and the simulator give it real and
 * simulated ports alike. Invariant: no client is served before every live member knows this node's interest and this node
 * theirs.
 */
import { Coordinator } from '../../coordination/coordinator.ts'
import { InterestExchange } from '../../gossip/interest-exchange.ts'
import { KeptInterest } from '../../routing/kept-interest.ts'
import { TrieLocalIndex } from '../../routing/local-index.ts'
import { LocalRouter } from '../../routing/local-router.ts'
import { MeshRouter } from '../../routing/mesh-router.ts'
import { PeerForwarder } from '../../routing/peer-forwarder.ts'
import { PublishTracer } from '../../routing/publish-tracer.ts'
import { HashedRemoteIndex } from '../../routing/remote-index.ts'
import { SharedGroups } from '../../routing/shared-groups.ts'
import { SharedTickets } from '../../routing/shared-tickets.ts'
import { TopicTreeRetainedIndex } from '../../routing/retained-index.ts'
import { RetainedPlacement } from '../../routing/retained-placement.ts'
import { RetainedSync } from '../../routing/retained-sync.ts'
import { errorMessage } from '../core/errors.ts'
import type { ByteStream } from '../core/ports/byte-stream.ts'
import type { Timer } from '../core/ports/clock.ts'
import type { Member } from '../core/ports/membership.ts'
import type { ClusterStatus, Metric, NodeStatusSource, ReadinessCheck } from '../core/ports/node-status.ts'
import { ClientDirectory } from '../mqtt/client-directory.ts'
import { MqttBroker } from '../mqtt/mqtt-broker.ts'
import { PlainPacketDecoder } from '../mqtt/wire/plain-packet-decoder.ts'
import { AwayNodes } from './away-nodes.ts'
import { BrokerControl } from './broker-control.ts'
import type { BrokerAddresses, BrokerOptions, BrokerPorts } from './broker-ports.ts'
import { brokerReadiness, type Phase } from './broker-readiness.ts'
import { ClusterEventLog } from './cluster-event-log.ts'
import { describeCluster } from './cluster-status.ts'
import { nodeMetrics } from './node-metrics.ts'
import { RoutingInspector } from './routing-inspector.ts'

/** How often the coordinator is told the node's load; it writes more rarely. */
const LOAD_INTERVAL_MS = 5000

export class BrokerNode implements NodeStatusSource {
  readonly coordinator: Coordinator
  readonly interest: InterestExchange
  readonly localIndex: TrieLocalIndex
  readonly remoteIndex: HashedRemoteIndex
  readonly localRouter: LocalRouter
  readonly sharedGroups: SharedGroups
  readonly router: MeshRouter
  readonly forwarder: PeerForwarder
  readonly mqtt: MqttBroker
  readonly retainedPlacement: RetainedPlacement
  readonly retainedSync: RetainedSync
  readonly control: BrokerControl
  readonly routing: RoutingInspector
  readonly tracer: PublishTracer
  readonly away: AwayNodes
  readonly #ports: BrokerPorts
  readonly #options: BrokerOptions
  readonly #events: ClusterEventLog
  readonly #metrics: readonly Metric[]
  readonly #onServing: (() => void)[] = []
  readonly #onFailed: ((error: Error) => void)[] = []
  #phase: Phase = 'new'
  #storeError: string | undefined
  #loadReports: Timer | undefined

  constructor(ports: BrokerPorts, options: BrokerOptions) {
    const { clock, random, logger, journal, transport, gossip, coordinationStore } = ports
    this.#ports = ports
    this.#options = options
    this.#events = new ClusterEventLog(clock, logger)
    this.coordinator = new Coordinator(
      { ...ports, store: coordinationStore },
      {
        ...options.coordination,
        cluster: options.cluster,
        nodeId: options.nodeId,
        dataDirId: options.dataDirId,
        initialMode: options.routing.mode,
      },
    )
    const secret = random.uint32()
    this.localIndex = new TrieLocalIndex(secret)
    this.remoteIndex = new HashedRemoteIndex(options.cluster, secret)
    const keptInterest = new KeptInterest(this.remoteIndex)
    this.interest = new InterestExchange(
      {
        gossip,
        transport,
        records: this.coordinator.routes,
        store: ports.store,
        local: this.localIndex,
        remote: keptInterest,
        clock,
        logger,
      },
      { ...options.routing, cluster: options.cluster },
    )
    const tickets = new SharedTickets(options.routing.sharedStrategy, random)
    const local = new LocalRouter(this.localIndex, journal, ports.seenJournal, tickets)
    this.localRouter = local
    this.forwarder = new PeerForwarder(
      {
        transport,
        local,
        packets: new PlainPacketDecoder(),
        retained: { apply: entry => this.mqtt.retained.apply(entry) },
        journal,
        outboxJournal: ports.outboxJournal,
        clock,
        logger,
        isKnownTo: nodeId => this.interest.isKnownTo(nodeId),
      },
      options.forwarding,
    )
    const { coordinator, remoteIndex } = this
    const { peers } = this.forwarder
    const goneInterest = this.interest.gone
    this.away = new AwayNodes({
      ...{ coordinator, peers, remoteIndex, keptInterest, goneInterest },
      ...{ clock, logger },
    })
    this.sharedGroups = new SharedGroups(options.nodeId, tickets, random, nodeId => peers.isMember(nodeId))
    this.router = new MeshRouter(local, this.remoteIndex, this.forwarder, this.sharedGroups)
    this.forwarder.onUndelivered((...undelivered) => this.router.redispatch(...undelivered))
    this.tracer = new PublishTracer({
      nodeId: options.nodeId,
      clock,
      random,
      transport,
      point: local.point,
      members: () => this.forwarder.members,
      exporter: ports.spanExporter,
    })
    this.forwarder.onTrace((from, frame) => this.tracer.onFrame(from, frame))
    this.retainedPlacement = new RetainedPlacement(
      { transport, replica: () => this.mqtt.retained, journal, clock, logger },
      {
        nodeId: options.nodeId,
        cluster: options.cluster,
        inlineBytesMax: options.retained.inlineBytesMax,
        intervalMs: options.retained.digestIntervalMs,
      },
    )
    this.mqtt = new MqttBroker(
      {
        clock,
        random,
        logger,
        journal,
        retainedJournal: ports.retainedJournal,
        retainedPayloads: this.retainedPlacement,
        authenticationMethods: ports.authenticationMethods,
        retainedIndex: new TopicTreeRetainedIndex(),
        router: this.router,
        ownership: this.coordinator,
        index: this.localIndex,
        interest: this.interest,
        barrier: this.interest,
        forwarder: this.forwarder,
      },
      options.mqtt,
    )
    this.retainedSync = new RetainedSync(
      { transport, replica: this.mqtt.retained, placement: this.retainedPlacement, clock, logger },
      options.retained,
    )
    this.control = this.#makeControl()
    this.routing = this.#makeInspector()
    this.#metrics = [...nodeMetrics(this), ...ports.portMetrics]
    this.#listen()
  }

  /** Restores sessions, joins the cluster and begins to exchange interest. Rejects with what prevents it. */
  async start({ mqttAddress, adminUrl }: BrokerAddresses): Promise<void> {
    const { transport, clock } = this.#ports
    this.#phase = 'joining'
    const delivered = await this.mqtt.restore()
    this.mqtt.sessions.moves.arrivals.outlived(await this.localRouter.restore())
    await this.forwarder.peers.restore()
    await this.interest.gone.restore()
    for (const id of delivered) this.localRouter.noteDelivered(id)
    const incarnation = await this.coordinator.join({
      peerId: transport.self.peerId,
      addresses: transport.self.addresses,
      state: 'joining',
      version: this.#options.version,
      mqttAddress,
      adminUrl,
      startedAtMs: clock.wallNow(),
    })
    const { sessions } = this.mqtt
    sessions.discard(await this.coordinator.verifyStored(sessions.unclaimed()))
    const staged = sessions.moves.arrivals.staged()
    const tokens = await this.coordinator.verifyStaged(staged)
    for (const { clientId } of staged) sessions.settleStaged(clientId, tokens.get(clientId))
    transport.start(this.#options.nodeId, incarnation)
    this.router.start(incarnation)
    this.mqtt.startRetained(incarnation, this.#peers().length > 0)
    this.retainedSync.start()
    this.retainedPlacement.start()
    this.interest.start(this.#options.nodeId, incarnation)
    this.coordinator.mode.serve(this.interest.feeds)
    this.#membersChanged(this.coordinator.members)
    this.coordinator.resumeMoves()
    this.#serveWhenSynchronized()
    this.#loadReports = clock.repeat(LOAD_INTERVAL_MS, () => this.#reportLoad())
  }

  /** Takes a client's network connection. CONNECT is answered once the node serves. */
  accept(stream: ByteStream): void {
    this.mqtt.sessions.accept(stream)
  }

  /** Calls back once, when the node begins to serve clients. */
  whenServing(listener: () => void): void {
    if (this.#phase === 'serving') listener()
    else this.#onServing.push(listener)
  }

  /** Calls back when the node cannot go on and must be stopped. */
  onFailed(listener: (error: Error) => void): void {
    this.#onFailed.push(listener)
  }

  /** Members this node has no link with. */
  get unlinked(): readonly Member[] {
    return this.#peers().filter(({ nodeId }) => !this.#ports.transport.isUp(nodeId))
  }

  readiness(): readonly ReadinessCheck[] {
    return [
      ...brokerReadiness({
        isOwner: this.coordinator.mayAcknowledge(),
        isPromised: this.coordinator.isPromised,
        phase: this.#phase,
        unlinked: this.unlinked,
        interest: this.interest,
        retained: this.retainedSync,
        othersCount: this.#peers().length,
        storeRefusal: this.#ports.storeRefusal.reason,
        storeError: this.#storeError,
      }),
      this.control.readiness(),
    ]
  }

  clusterStatus(): ClusterStatus {
    const { transport } = this.#ports
    return describeCluster({ broker: this, transport, events: this.#events, options: this.#options })
  }

  metrics(): readonly Metric[] {
    return this.#metrics
  }

  /** Disconnects the clients and leaves the cluster; ports stay open, to be closed by who opened them. */
  async stop(): Promise<void> {
    if (this.#phase === 'stopping') return
    const hadJoined = this.#phase !== 'new'
    this.#phase = 'stopping'
    this.control.stop()
    this.tracer.close()
    this.#loadReports?.cancel()
    this.mqtt.stop()
    this.interest.stop()
    this.retainedSync.stop()
    this.retainedPlacement.stop()
    // With sessions on disk the others keep what is sent to them; with outboxes they wait for what is in those.
    const holdsNothing = this.mqtt.sessions.isEmpty && this.forwarder.owesNothing
    if (hadJoined && holdsNothing) this.forwarder.farewell()
    this.forwarder.stop()
    if (hadJoined) await this.coordinator.leave(holdsNothing)
  }

  #listen(): void {
    const { store, transport, logger } = this.#ports
    const { nodeId } = this.#options
    this.coordinator.serve(this.mqtt.sessions.moves)
    this.coordinator.serveWills(will => this.mqtt.sessions.publishWill(will))
    this.coordinator.addListener({
      onMembersChanged: members => this.#membersChanged(members),
      onKnownNodesChanged: () => {
        if (this.#phase !== 'stopping') this.away.update()
      },
      onUnseenChanged: () => this.interest.setUnseen(this.coordinator.unseenLives.length),
      onLeaderChanged: leader => {
        const detail =
          leader === undefined ? 'the leader is gone; another is being elected' : 'leads from now on'
        this.#events.add('leader-changed', leader ?? 'none', detail)
      },
      onSuspended: detail => {
        this.#events.add('suspended', nodeId, detail)
        this.mqtt.sessions.setSuspended(true)
      },
      onResumed: (lost, wasAway) => {
        // Subscriptions may have come into force everywhere without it: before anything is routed again.
        if (wasAway) this.interest.doubt()
        this.#events.add('resumed', nodeId, `${lost.length} sessions were taken over meanwhile`)
        this.mqtt.sessions.setSuspended(false)
        this.#serveWhenSynchronized()
      },
      onFailed: error => {
        for (const listener of this.#onFailed) listener(error)
      },
    })
    this.forwarder.onWritable(() => this.mqtt.wake())
    this.interest.onSynchronizedChanged(() => this.#serveWhenSynchronized())
    this.retainedSync.onSynchronizedChanged(() => this.#serveWhenSynchronized())
    transport.addPeerListener({
      onPeerUp: peer => {
        this.#events.add('link-up', peer.nodeId, `incarnation ${peer.incarnation}`)
        this.#serveWhenSynchronized()
      },
      onPeerDown: peer => {
        if (this.#phase !== 'stopping')
          this.#events.add('link-down', peer.nodeId, `incarnation ${peer.incarnation}`)
      },
    })
    store.onFailed(error => {
      this.#storeError = `writing failed: ${errorMessage(error)}`
      logger.error('the local store failed: nothing is acknowledged any more, and the node stops', {
        error: errorMessage(error),
      })
      for (const listener of this.#onFailed) listener(error)
    })
  }

  #membersChanged(members: readonly Member[]): void {
    if (this.#phase === 'stopping') return
    this.#events.membersChanged(members)
    const peers = this.#peers()
    // The index must treat a new peer as interested in everything before the first frame can reach it.
    this.forwarder.setMembers(peers)
    this.mqtt.sessions.moves.setMembers(peers.map(({ nodeId }) => nodeId))
    this.retainedPlacement.setMembers(this.coordinator.members)
    this.retainedSync.setMembers(peers)
    this.away.update()
    this.interest.setMembers(peers)
    this.#ports.transport.setMembers(peers)
    this.#serveWhenSynchronized()
  }

  #reportLoad(): void {
    const { connectionCount: connections, sessionCount: sessions } = this.mqtt.sessions
    this.coordinator.setLoad({ connections, sessions, subscriptions: this.localIndex.subscriptionCount })
  }

  #makeControl(): BrokerControl {
    const { nodeId, cluster, mqtt } = this.#options
    return new BrokerControl({
      ...this.#ports,
      nodeId,
      cluster,
      coordinator: this.coordinator,
      forwarder: this.forwarder,
      interest: this.interest,
      clients: new ClientDirectory(this.mqtt.sessions, mqtt),
      isServing: () => this.#phase === 'serving',
    })
  }

  #makeInspector(): RoutingInspector {
    const { coordinator, mqtt } = this
    return new RoutingInspector({
      nodeId: this.#options.nodeId,
      topicLevelsMax: this.#options.mqtt.topicLevelsMax,
      acceptTimeoutMs: this.#options.forwarding.acceptTimeoutMs,
      localIndex: this.localIndex,
      remoteIndex: this.remoteIndex,
      sharedGroups: this.sharedGroups,
      interest: this.interest,
      retained: mqtt.retained,
      transport: this.#ports.transport,
      peers: this.forwarder.peers,
      incarnation: () => (coordinator.incarnation === 0 ? undefined : coordinator.incarnation),
      mayAcknowledge: () => coordinator.mayAcknowledge(),
    })
  }

  #peers(): readonly Member[] {
    return this.coordinator.members.filter(({ nodeId }) => nodeId !== this.#options.nodeId)
  }

  #serveWhenSynchronized(): void {
    if (this.#phase !== 'joining' || !this.coordinator.mayAcknowledge()) return
    if (this.interest.missing.length > 0 || this.interest.unheard.length > 0) return
    if (!this.retainedSync.isSynchronized) return
    this.#phase = 'serving'
    this.coordinator.setState('ready')
    this.mqtt.serve(this.#options.version)
    for (const listener of this.#onServing.splice(0)) listener()
  }
}
