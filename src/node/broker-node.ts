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
import { TrieLocalIndex } from '../../routing/local-index.ts'
import { LocalRouter } from '../../routing/local-router.ts'
import { MeshRouter } from '../../routing/mesh-router.ts'
import { PeerForwarder } from '../../routing/peer-forwarder.ts'
import { TrieRemoteIndex } from '../../routing/remote-index.ts'
import { TopicTreeRetainedIndex } from '../../routing/retained-index.ts'
import { errorMessage } from '../core/errors.ts'
import type { NodeId } from '../core/ids.ts'
import type { ByteStream } from '../core/ports/byte-stream.ts'
import type { Clock } from '../core/ports/clock.ts'
import type { CoordinationStore } from '../core/ports/coordination-store.ts'
import type { AuthenticationMethod } from '../core/ports/enhanced-authentication.ts'
import type { Gossip } from '../core/ports/gossip.ts'
import type { Logger } from '../core/ports/logger.ts'
import type { Member } from '../core/ports/membership.ts'
import type { ClusterStatus, Metric, NodeStatusSource, ReadinessCheck } from '../core/ports/node-status.ts'
import type { PeerTransport } from '../core/ports/peer-transport.ts'
import type { Random } from '../core/ports/random.ts'
import type { RetainedJournal } from '../core/ports/retained.ts'
import type { SessionJournal } from '../core/ports/session-journal.ts'
import type { Store } from '../core/ports/store.ts'
import { MqttBroker } from '../mqtt/mqtt-broker.ts'
import type { MqttOptions } from '../mqtt/mqtt-services.ts'
import { ClusterEventLog } from './cluster-event-log.ts'
import { nodeMetrics } from './node-metrics.ts'

/** Everything a broker touches outside itself. */
export interface BrokerPorts {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly store: Store
  readonly journal: SessionJournal
  readonly retainedJournal: RetainedJournal
  readonly authenticationMethods: readonly AuthenticationMethod[]
  readonly coordinationStore: CoordinationStore
  readonly transport: PeerTransport
  readonly gossip: Gossip
}

export interface BrokerOptions {
  readonly nodeId: NodeId
  readonly cluster: string
  readonly version: string
  readonly coordination: {
    readonly store: 'embedded' | 'etcd'
    readonly leaseTtlMs: number
    readonly renewIntervalMs: number
    readonly leaseMarginMs: number
  }
  readonly routing: { readonly batchIntervalMs: number; readonly digestIntervalMs: number }
  readonly mqtt: MqttOptions
}

/** Where the node can be reached; known once its listeners are bound. */
export interface BrokerAddresses {
  readonly mqttAddress: string
  readonly adminUrl: string
}

type Phase = 'new' | 'joining' | 'serving' | 'stopping'

export class BrokerNode implements NodeStatusSource {
  readonly coordinator: Coordinator
  readonly interest: InterestExchange
  readonly localIndex = new TrieLocalIndex()
  readonly remoteIndex = new TrieRemoteIndex()
  readonly forwarder: PeerForwarder
  readonly mqtt: MqttBroker
  readonly #ports: BrokerPorts
  readonly #options: BrokerOptions
  readonly #events: ClusterEventLog
  readonly #metrics: readonly Metric[]
  readonly #onServing: (() => void)[] = []
  readonly #onFailed: ((error: Error) => void)[] = []
  #phase: Phase = 'new'
  #known = new Map<NodeId, Member>()
  #storeError: string | undefined

  constructor(ports: BrokerPorts, options: BrokerOptions) {
    const { clock, random, logger, journal, transport, gossip, coordinationStore } = ports
    this.#ports = ports
    this.#options = options
    this.#events = new ClusterEventLog(clock, logger)
    this.coordinator = new Coordinator(
      { store: coordinationStore, transport, clock, random, logger },
      {
        cluster: options.cluster,
        nodeId: options.nodeId,
        leaseTtlMs: options.coordination.leaseTtlMs,
        renewIntervalMs: options.coordination.renewIntervalMs,
        leaseMarginMs: options.coordination.leaseMarginMs,
      },
    )
    this.interest = new InterestExchange(
      { gossip, transport, local: this.localIndex, remote: this.remoteIndex, clock, logger },
      options.routing,
    )
    const local = new LocalRouter(this.localIndex, journal)
    this.forwarder = new PeerForwarder({ transport, local, journal, clock, logger })
    const router = new MeshRouter(local, this.remoteIndex, this.forwarder)
    this.mqtt = new MqttBroker(
      {
        clock,
        random,
        logger,
        journal,
        retainedJournal: ports.retainedJournal,
        authenticationMethods: ports.authenticationMethods,
        retainedIndex: new TopicTreeRetainedIndex(),
        router,
        ownership: this.coordinator,
        index: this.localIndex,
        interest: this.interest,
        forwarder: this.forwarder,
      },
      options.mqtt,
    )
    this.#metrics = nodeMetrics(this)
    this.#listen()
  }

  /** Restores sessions, joins the cluster and begins to exchange interest. Rejects with what prevents it. */
  async start({ mqttAddress, adminUrl }: BrokerAddresses): Promise<void> {
    const { transport, clock } = this.#ports
    this.#phase = 'joining'
    await this.mqtt.restore()
    const incarnation = await this.coordinator.join({
      peerId: transport.self.peerId,
      addresses: transport.self.addresses,
      state: 'joining',
      version: this.#options.version,
      mqttAddress,
      adminUrl,
      startedAtMs: clock.wallNow(),
    })
    this.mqtt.sessions.discard(await this.coordinator.verifyStored(this.mqtt.sessions.unclaimed()))
    transport.start(this.#options.nodeId, incarnation)
    this.interest.start(this.#options.nodeId, incarnation)
    this.#membersChanged(this.coordinator.members)
    this.#serveWhenSynchronized()
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

  readiness(): readonly ReadinessCheck[] {
    const { missing, unheard } = this.interest
    const unlinked = this.#peers().filter(({ nodeId }) => !this.#ports.transport.isUp(nodeId))
    const isServing = this.#phase === 'serving'
    const isOwner = this.coordinator.mayAcknowledge()
    return [
      {
        name: 'coordination',
        ok: isOwner,
        detail: isOwner
          ? 'lease held'
          : 'no lease: the coordination store does not answer, or the node has not joined',
      },
      {
        name: 'mesh',
        ok: isServing || unlinked.length === 0,
        detail: unlinked.length === 0 ? 'linked with every member' : `no link with ${names(unlinked)}`,
      },
      {
        name: 'interest',
        ok: isServing,
        detail: isServing
          ? 'subscriptions exchanged with every member'
          : `waiting for the subscriptions of [${missing.join(', ')}], for [${unheard.join(', ')}] to confirm ours`,
      },
      {
        name: 'storage',
        ok: this.#storeError === undefined,
        detail: this.#storeError ?? 'writable',
      },
      {
        name: 'listeners',
        ok: isServing,
        detail: isServing ? 'serving clients' : `not serving clients: ${this.#phase}`,
      },
    ]
  }

  clusterStatus(): ClusterStatus {
    const interests = new Map(this.interest.status().map(status => [status.nodeId, status]))
    const { leader } = this.coordinator
    return {
      cluster: this.#options.cluster,
      nodeId: this.#options.nodeId,
      coordination: this.#options.coordination.store,
      suspended: this.coordinator.isSuspended,
      leader,
      members: this.coordinator.members.map(member => {
        const self = member.nodeId === this.#options.nodeId
        const interest = interests.get(member.nodeId)
        return {
          nodeId: member.nodeId,
          incarnation: member.incarnation,
          state: member.state,
          leader: member.nodeId === leader,
          self,
          linkUp: self || this.#ports.transport.isUp(member.nodeId),
          interestKnown: self || interest?.known === true,
          filters: self ? this.localIndex.filterCount : (interest?.filters ?? 0),
          version: member.version,
          mqttAddress: member.mqttAddress,
          adminUrl: member.adminUrl,
          startedAtMs: member.startedAtMs,
        }
      }),
      local: {
        connections: this.mqtt.sessions.connectionCount,
        sessions: this.mqtt.sessions.sessionCount,
        subscriptions: this.localIndex.subscriptionCount,
        filters: this.localIndex.filterCount,
      },
      events: this.#events.events,
    }
  }

  metrics(): readonly Metric[] {
    return this.#metrics
  }

  /** Disconnects the clients and leaves the cluster; ports stay open, to be closed by who opened them. */
  async stop(): Promise<void> {
    if (this.#phase === 'stopping') return
    const hadJoined = this.#phase !== 'new'
    this.#phase = 'stopping'
    this.mqtt.stop()
    this.interest.stop()
    if (hadJoined) await this.coordinator.leave()
  }

  #listen(): void {
    const { store, transport, logger } = this.#ports
    const { nodeId } = this.#options
    this.coordinator.serve(this.mqtt.sessions)
    this.coordinator.addListener({
      onMembersChanged: members => this.#membersChanged(members),
      onLeaderChanged: leader => {
        const detail =
          leader === undefined ? 'the leader is gone; another is being elected' : 'leads from now on'
        this.#events.add('leader-changed', leader ?? 'none', detail)
      },
      onSuspended: detail => {
        this.#events.add('suspended', nodeId, detail)
        this.mqtt.sessions.setSuspended(true)
      },
      onResumed: lost => {
        this.#events.add('resumed', nodeId, `${lost.length} sessions were taken over meanwhile`)
        this.mqtt.sessions.setSuspended(false)
      },
      onFailed: error => {
        for (const listener of this.#onFailed) listener(error)
      },
    })
    this.forwarder.onWritable(() => this.mqtt.wake())
    this.interest.onSynchronizedChanged(() => this.#serveWhenSynchronized())
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
      logger.error(
        'the local store failed; nothing is acknowledged any more: check the disk and restart the node',
        {
          error: errorMessage(error),
        },
      )
    })
  }

  #membersChanged(members: readonly Member[]): void {
    if (this.#phase === 'stopping') return
    const now = new Map(members.map(member => [member.nodeId, member]))
    for (const [nodeId, before] of this.#known) {
      const after = now.get(nodeId)
      if (after?.incarnation !== before.incarnation) {
        this.#events.add('member-left', nodeId, `incarnation ${before.incarnation}`)
      }
    }
    for (const [nodeId, member] of now) {
      const before = this.#known.get(nodeId)
      if (before?.incarnation !== member.incarnation) {
        this.#events.add('member-joined', nodeId, `incarnation ${member.incarnation}, ${member.state}`)
      } else if (before.state !== member.state) {
        this.#events.add('member-state', nodeId, `${before.state} → ${member.state}`)
      }
    }
    this.#known = now
    const peers = this.#peers()
    // The index must treat a new peer as interested in everything before the first frame can reach it.
    this.interest.setMembers(peers)
    this.forwarder.setMembers(peers)
    this.#ports.transport.setMembers(peers)
    this.#serveWhenSynchronized()
  }

  #peers(): readonly Member[] {
    return this.coordinator.members.filter(({ nodeId }) => nodeId !== this.#options.nodeId)
  }

  #serveWhenSynchronized(): void {
    if (this.#phase !== 'joining' || !this.coordinator.mayAcknowledge()) return
    if (this.interest.missing.length > 0 || this.interest.unheard.length > 0) return
    this.#phase = 'serving'
    this.coordinator.setState('ready')
    this.mqtt.serve(this.#options.version)
    for (const listener of this.#onServing.splice(0)) listener()
  }
}

function names(members: readonly Member[]): string {
  return members.map(({ nodeId }) => nodeId).join(', ')
}
