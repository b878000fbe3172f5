import assert from 'node:assert/strict'
import type { IConnectPacket, IPublishPacket, Packet } from 'mqtt-packet'
import { HandoffOwner } from '../../coordination/handoff-owner.ts'
import { CoordinationKeys } from '../../coordination/keys.ts'
import { SessionChannel } from '../../coordination/session-channel.ts'
import { SessionClaims } from '../../coordination/session-claims.ts'
import { decodeOwnership, type StoredOwnership } from '../../coordination/session-record.ts'
import { findSuperseded } from '../../coordination/session-readback.ts'
import { SessionHandoff } from '../../coordination/session-handoff.ts'
import { SessionTransfer } from '../../coordination/session-transfer.ts'
import { TrieLocalIndex } from '../../routing/local-index.ts'
import { LocalRouter } from '../../routing/local-router.ts'
import { MeshRouter } from '../../routing/mesh-router.ts'
import { PeerForwarder } from '../../routing/peer-forwarder.ts'
import { SharedGroups } from '../../routing/shared-groups.ts'
import { SharedTickets } from '../../routing/shared-tickets.ts'
import { TopicTreeRetainedIndex } from '../../routing/retained-index.ts'
import { SeededRandom } from '../../sim/ports/seeded-random.ts'
import { SimCoordinationService } from '../../sim/ports/sim-coordination-store.ts'
import { SimPeerNetwork, type SimPeerTransport } from '../../sim/ports/sim-peer-network.ts'
import { SimStore, type SimDisk } from '../../sim/ports/sim-store.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import type { ClientId, FencingToken, NodeId } from '../../src/core/ids.ts'
import type { Member } from '../../src/core/ports/membership.ts'
import type { PeerAddress, PeerChannel, PeerTransport } from '../../src/core/ports/peer-transport.ts'
import type { Acceptance, RemoteGroup } from '../../src/core/ports/routing.ts'
import type { ClaimAnswer, ClaimRequest, SessionOwnership } from '../../src/core/ports/session-ownership.ts'
import type { Publication } from '../../src/core/publication.ts'
import type { QoS } from '../../src/core/qos.ts'
import { topicMatches } from './topic-matches.ts'
import { MqttBroker } from '../../src/mqtt/mqtt-broker.ts'
import type { MqttOptions } from '../../src/mqtt/mqtt-services.ts'
import { PlainPacketDecoder } from '../../src/mqtt/wire/plain-packet-decoder.ts'
import { JournalWriter } from '../../src/storage/journal-writer.ts'
import { StoreOutboxJournal } from '../../src/storage/store-outbox-journal.ts'
import { StoreRetainedJournal } from '../../src/storage/store-retained-journal.ts'
import { StoreSeenJournal } from '../../src/storage/store-seen-journal.ts'
import { StoreSessionJournal } from '../../src/storage/store-session-journal.ts'
import { until } from '../contract/harness.ts'
import { CutOffStore } from '../coordination/support/cut-off-store.ts'
import { MemoryClient } from '../mqtt/support/memory-stream.ts'
import { defaultOptions } from '../mqtt/support/mqtt-harness.ts'
import { payloadsHere } from './payloads-here.ts'
import { silentLogger } from './silent-logger.ts'

const keys = new CoordinationKeys('test')
/** Longer than any test. */
const LEASE_MS = 10 ** 9
/** Until a change of interest is known to the other nodes. */
export const ROUTE_DELAY_MS = 30
/** Until a member that does not accept counts as late, and is sent what it lacks through its outbox. */
export const ACCEPT_TIMEOUT_MS = 5000

/** One process of a node: claims, transfer, forwarding and MQTT as in a broker; membership and routes are the test's. */
export class MoveNode {
  readonly nodeId: NodeId
  readonly incarnation: number
  readonly broker: MqttBroker
  readonly claims: SessionClaims
  readonly transfer: SessionTransfer
  readonly handoff: SessionHandoff
  readonly handoffOwner: HandoffOwner
  readonly transport: SimPeerTransport
  readonly store: CutOffStore
  readonly journal: StoreSessionJournal
  readonly local: LocalRouter
  readonly forwarder: PeerForwarder
  readonly router: MeshRouter
  readonly shared: SharedGroups
  /** Members of shared subscriptions on other nodes, by group, a space and the filter. */
  readonly groups = new Map<string, ReadonlyMap<NodeId, number>>()
  /** Nodes of whose interest it knows nothing. */
  readonly unknownNodes: NodeId[] = []
  /** What forwarding sends goes through it. */
  readonly gate: ForwardGate
  disk: SimDisk
  isAlive = true
  /** Until the others know of a change of its interest. */
  routeDelayMs = ROUTE_DELAY_MS
  /** Filters of its clients that the other nodes know of. */
  readonly announced = new Map<string, number>()
  readonly #cluster: MoveCluster

  constructor(
    cluster: MoveCluster,
    nodeId: NodeId,
    incarnation: number,
    disk: SimDisk,
    options: Partial<MqttOptions>,
    leaseId: string,
  ) {
    const { clock } = cluster
    this.#cluster = cluster
    this.nodeId = nodeId
    this.incarnation = incarnation
    this.disk = disk
    this.store = new CutOffStore(cluster.service.connect(), clock)
    this.transport = cluster.network.transport(nodeId)
    const index = new TrieLocalIndex()
    const writer = new JournalWriter(new SimStore({ clock, disk }))
    this.journal = new StoreSessionJournal(writer)
    const random = new SeededRandom(incarnation)
    const tickets = new SharedTickets('round-robin', random)
    this.local = new LocalRouter(index, this.journal, new StoreSeenJournal(writer), tickets)
    this.gate = new ForwardGate(this.transport, clock)
    this.forwarder = new PeerForwarder(
      {
        transport: this.gate,
        local: this.local,
        packets: new PlainPacketDecoder(),
        retained: { apply: () => false },
        journal: this.journal,
        outboxJournal: new StoreOutboxJournal(writer),
        clock,
        logger: silentLogger,
      },
      { acceptTimeoutMs: ACCEPT_TIMEOUT_MS, outboxMessagesMax: 100_000, outboxBytesMax: 1024 ** 3 },
    )
    this.shared = new SharedGroups(nodeId, tickets, random, peer => this.forwarder.peers.isMember(peer))
    const routes = {
      match: (topic: string) => cluster.interested(nodeId, topic),
      matchShared: (topic: string) => this.#remoteGroups(topic),
      unknownNodes: this.unknownNodes,
    }
    this.router = new MeshRouter(this.local, routes, this.forwarder, this.shared)
    this.forwarder.onUndelivered((...undelivered) => this.router.redispatch(...undelivered))
    this.router.start(incarnation)
    const context = {
      store: this.store,
      clock,
      random: new SeededRandom(incarnation),
      logger: silentLogger,
      keys,
      nodeId,
      transport: this.transport,
      channel: new SessionChannel(this.transport, clock),
    }
    const claims: SessionClaims = new SessionClaims({
      ...context,
      presence: { isActive: () => this.isAlive, generation: 0 },
      membership: {
        isLive: (node, life) => cluster.nodes.get(node)?.incarnation === life,
        list: () => cluster.members(),
      },
      onOwnerLost: 'wait',
      ownerLostGraceMs: 10_000,
      mayTakeFrom: () => true,
      isNearlyFull: () => false,
      isStaged: clientId => this.transfer.isStaged(clientId),
      ask: (owner, request, token, withinMs) => this.handoff.ask(owner, request, token, withinMs),
    })
    this.claims = claims
    const rules = {
      mayLeave: (clientId: ClientId, token: FencingToken) => claims.mayLetGo(clientId, token),
      consented: (clientId: ClientId) => claims.letGo(clientId),
    }
    const ownIncarnation = (): number => incarnation
    this.transfer = new SessionTransfer({ ...context, ownIncarnation, isActive: () => this.isAlive }, rules)
    const handoff = {
      ...context,
      ownIncarnation,
      leaseId: () => (this.isAlive ? leaseId : undefined),
      others: () =>
        cluster.members().flatMap(member => (member.nodeId === nodeId ? [] : { ...member, state: 'ready' })),
    }
    this.handoff = new SessionHandoff(handoff, (...question) => this.transfer.ask(...question))
    this.handoffOwner = new HandoffOwner(handoff, this.transfer, rules)
    this.broker = new MqttBroker(
      {
        clock,
        random: new SeededRandom(incarnation + 1),
        logger: silentLogger,
        journal: this.journal,
        retainedJournal: new StoreRetainedJournal(writer),
        retainedPayloads: payloadsHere,
        retainedIndex: new TopicTreeRetainedIndex(),
        authenticationMethods: [],
        router: this.router,
        ownership: this.#ownership(),
        index,
        interest: {
          added: (filter: string) => this.#announce(filter, 1),
          removed: (filter: string) => this.#announce(filter, -1),
          groupChanged() {},
        },
        barrier: {
          whenApplied: (_level, timeoutMs, done) => {
            const isApplied = this.routeDelayMs < timeoutMs
            clock.schedule(isApplied ? this.routeDelayMs + 1 : timeoutMs, () => done(isApplied))
          },
          isAppliedUpTo: timeMs => timeMs + this.routeDelayMs < clock.now(),
        },
        forwarder: this.forwarder,
      },
      {
        ...defaultOptions,
        queueMessagesMax: 20_000,
        queueBytesMax: 512 * 1024 * 1024,
        receiveMax: 100,
        ...options,
      },
    )
    this.transfer.serve(this.broker.sessions.moves)
    this.handoffOwner.serve(this.broker.sessions.moves)
    claims.serve(this.broker.sessions.moves)
    claims.start(incarnation, 1)
  }

  async start(): Promise<void> {
    const delivered = await this.broker.restore()
    this.broker.sessions.moves.arrivals.outlived(await this.local.restore())
    for (const id of delivered) this.local.noteDelivered(id)
    await this.forwarder.peers.restore()
    const { sessions } = this.broker
    const memberKey = keys.member(this.nodeId, this.incarnation)
    sessions.discard(await findSuperseded(this.store, keys, memberKey, sessions.unclaimed()))
    for (const { clientId, from } of sessions.moves.arrivals.staged()) {
      sessions.settleStaged(clientId, await this.transfer.outcomes.tokenOfStaged(clientId, from))
    }
    this.transport.start(this.nodeId, this.incarnation)
    this.transfer.resume()
    this.handoffOwner.start(this.incarnation)
  }

  /** Sends CONNECT; the answer comes with time. */
  dial(clientId: string, packet: Partial<IConnectPacket> = {}): MemoryClient {
    const client = new MemoryClient(5)
    this.broker.sessions.accept(client.stream)
    client.send({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 5,
      clientId,
      clean: false,
      keepalive: 0,
      ...packet,
      properties: { sessionExpiryInterval: 3600, ...packet.properties },
    })
    return client
  }

  /** Takes a message as if a client of this node had sent it; `isAccepted` turns true when it may be acknowledged. */
  publish(
    topic: string,
    text: string,
    qos: QoS = 1,
    more: Partial<Publication> = {},
  ): { isAccepted: boolean } {
    const outcome = { isAccepted: false }
    const publication = { ...publicationOf(topic, text, qos), ...more }
    const acceptance = new Counting(() => (outcome.isAccepted = true))
    this.router.publish(publication, acceptance)
    acceptance.complete(this.journal, this.#cluster.clock)
    return outcome
  }

  #remoteGroups(topic: string): RemoteGroup[] {
    const groups: RemoteGroup[] = []
    for (const [name, members] of this.groups) {
      const [group = '', filter = ''] = name.split(' ')
      if (topicMatches(filter, topic)) groups.push({ group, filter, members })
    }
    return groups
  }

  /** Whether the other nodes know of a filter that matches. */
  wants(topic: string): boolean {
    return [...this.announced].some(([filter, count]) => count > 0 && topicMatches(filter, topic))
  }

  #announce(filter: string, change: 1 | -1): void {
    this.#cluster.clock.schedule(this.routeDelayMs, () => {
      this.announced.set(filter, (this.announced.get(filter) ?? 0) + change)
    })
  }

  #ownership(): SessionOwnership {
    return {
      claim: request => this.#claim(request),
      release: (clientId, token) => this.claims.release(clientId, token),
      setWill: (clientId, token, will, dueAtMs) => this.claims.setWill(clientId, token, will, dueAtMs),
      setExpiry: (clientId, token, seconds) => this.claims.setExpiry(clientId, token, seconds),
      offer: (clientId, nodeId) => this.transfer.offer(clientId, nodeId, 3600),
      mayAcknowledge: () => this.isAlive,
    }
  }

  async #claim(request: ClaimRequest): Promise<ClaimAnswer> {
    const answer = await this.claims.claim(request)
    const { clientId } = request
    if (answer.status === 'claimed' && answer.isTransferred) this.transfer.taken(clientId)
    else if (!this.claims.isUnsettled(clientId)) this.transfer.discardStaged(clientId)
    return answer
  }
}

/** The way of a node's forward frames to the others, each of which a test may hold or make slow. */
export class ForwardGate implements PeerTransport {
  readonly #transport: PeerTransport
  readonly #clock: VirtualClock
  readonly #held = new Map<NodeId, Uint8Array[]>()
  readonly #delays = new Map<NodeId, number>()

  constructor(transport: PeerTransport, clock: VirtualClock) {
    this.#transport = transport
    this.#clock = clock
  }

  /** From now on nothing gets through to that node; what the link loses meanwhile is lost. */
  hold(nodeId: NodeId): void {
    this.#held.set(nodeId, [])
  }

  release(nodeId: NodeId): void {
    const frames = this.#held.get(nodeId) ?? []
    this.#held.delete(nodeId)
    for (const frame of frames) this.#transport.send(nodeId, 'forward', frame)
  }

  /** Frames that are sent from now on take so much longer. */
  delay(nodeId: NodeId, ms: number): void {
    this.#delays.set(nodeId, ms)
  }

  send(nodeId: NodeId, channel: PeerChannel, frame: Uint8Array): boolean {
    const held = this.#held.get(nodeId)
    const delayMs = this.#delays.get(nodeId) ?? 0
    if (channel !== 'forward' || (held === undefined && delayMs === 0))
      return this.#transport.send(nodeId, channel, frame)
    if (!this.#transport.isUp(nodeId)) return false
    const copy = Uint8Array.from(frame)
    if (held === undefined)
      this.#clock.schedule(delayMs, () => void this.#transport.send(nodeId, channel, copy))
    else held.push(copy)
    return true
  }

  sendPiece(...piece: Parameters<PeerTransport['sendPiece']>): boolean {
    const [nodeId, channel, head, source, start, end] = piece
    return this.send(nodeId, channel, Buffer.concat([head, source.subarray(start, end)]))
  }

  get self(): PeerTransport['self'] {
    return this.#transport.self
  }

  start(...life: Parameters<PeerTransport['start']>): void {
    this.#transport.start(...life)
  }

  setMembers(members: readonly PeerAddress[]): void {
    this.#transport.setMembers(members)
  }

  isUp(nodeId: NodeId): boolean {
    return this.#transport.isUp(nodeId)
  }

  onFrame(...listener: Parameters<PeerTransport['onFrame']>): void {
    this.#transport.onFrame(...listener)
  }

  onDrain(...listener: Parameters<PeerTransport['onDrain']>): void {
    this.#transport.onDrain(...listener)
  }

  addPeerListener(...listener: Parameters<PeerTransport['addPeerListener']>): void {
    this.#transport.addPeerListener({ ...listener[0] })
    this.#transport.addPeerListener({
      onPeerUp: () => {},
      onPeerDown: ({ nodeId }) => this.#held.get(nodeId)?.splice(0),
    })
  }

  disconnect(...link: Parameters<PeerTransport['disconnect']>): void {
    this.#transport.disconnect(...link)
  }

  close(): Promise<void> {
    return this.#transport.close()
  }
}

class Counting implements Acceptance {
  #expected = 1
  #sequence = 0
  readonly #done: () => void

  constructor(done: () => void) {
    this.#done = done
  }

  expect(): void {
    this.#expected++
  }

  settle(): void {
    if (--this.#expected === 0) this.#done()
  }

  requireCommitted(sequence: number): void {
    this.#sequence = sequence
  }

  complete(journal: StoreSessionJournal, clock: VirtualClock): void {
    if (journal.committed >= this.#sequence) this.settle()
    else clock.schedule(1, () => this.complete(journal, clock))
  }
}

/** Nodes over one simulated store, network and clock, with routes that take a while to change. */
export class MoveCluster {
  readonly clock = new VirtualClock()
  readonly service = new SimCoordinationService(this.clock)
  readonly network = new SimPeerNetwork(this.clock)
  readonly nodes = new Map<NodeId, MoveNode>()
  /** Those that are down, too. */
  readonly #everyNode = new Map<NodeId, MoveNode>()
  readonly #leases = new Map<number, string>()
  readonly #cuts = new Set<string>()
  #lastIncarnation = 100

  advance(ms: number): Promise<void> {
    return this.clock.advance(ms)
  }

  async start(nodeIds: readonly NodeId[], options: Partial<MqttOptions> = {}): Promise<MoveNode[]> {
    const nodes: MoveNode[] = []
    for (const nodeId of nodeIds) nodes.push(await this.boot(nodeId, new Map(), options))
    await this.advance(200)
    return nodes
  }

  async boot(nodeId: NodeId, disk: SimDisk, options: Partial<MqttOptions> = {}): Promise<MoveNode> {
    const incarnation = ++this.#lastIncarnation
    await this.settled(this.#write(keys.member(nodeId, incarnation), true))
    const { leaseId } = await this.settled(this.service.connect().grantLease(LEASE_MS))
    this.#leases.set(incarnation, leaseId)
    const node = new MoveNode(this, nodeId, incarnation, disk, options, leaseId)
    // It hears of the others' members before it serves.
    for (const [name, members] of this.#everyNode.get(nodeId)?.groups ?? []) node.groups.set(name, members)
    await this.settled(node.start())
    // What the others knew of its interest holds until they know better.
    for (const [filter, count] of this.#everyNode.get(nodeId)?.announced ?? []) {
      node.announced.set(filter, count)
      this.clock.schedule(2 * ROUTE_DELAY_MS, () =>
        node.announced.set(filter, (node.announced.get(filter) ?? 0) - count),
      )
    }
    this.nodes.set(nodeId, node)
    this.#everyNode.set(nodeId, node)
    this.#meet()
    node.broker.serve('0.0.0')
    return node
  }

  /** As `kill -9`; its member key is gone at once. What was committed to its disk stays in `disk`. */
  async kill(node: MoveNode): Promise<void> {
    node.isAlive = false
    node.store.setContact('cut')
    node.forwarder.stop()
    node.disk = new Map(node.disk)
    await node.transport.close()
    this.nodes.delete(node.nodeId)
    await this.settled(this.#write(keys.member(node.nodeId, node.incarnation), false))
    await this.settled(this.service.connect().revokeLease(this.#leases.get(node.incarnation) ?? ''))
    this.#meet()
  }

  /** Takes the link between two nodes away, or lets it come up again; they stay members for one another. */
  setLink(one: MoveNode, other: MoveNode, isUp: boolean): void {
    const name = linkName(one.nodeId, other.nodeId)
    if (isUp) this.#cuts.delete(name)
    else this.#cuts.add(name)
    this.#meet()
  }

  async restart(node: MoveNode): Promise<MoveNode> {
    const next = await this.boot(node.nodeId, node.disk)
    await this.advance(200)
    return next
  }

  async settled<T>(promise: Promise<T>, withinMs = 30_000): Promise<T> {
    let isSettled = false
    const settle = (): void => void (isSettled = true)
    promise.then(settle, settle)
    await until(this, 'a promise settles', () => isSettled, withinMs)
    return promise
  }

  /** A client that acknowledges what it gets, in a turn of its own. */
  acknowledging(client: MemoryClient): MemoryClient {
    client.onReceived = (packet: Packet) => {
      const answer = answerTo(packet)
      if (answer !== undefined) this.clock.defer(() => client.send(answer))
    }
    return client
  }

  members(): Member[] {
    return Array.from(this.nodes.values(), node => ({ ...this.#address(node) }) as Member)
  }

  recordOf(clientId: ClientId): StoredOwnership | undefined {
    const entry = this.service.state.get(keys.session(clientId))
    return entry && decodeOwnership(entry)
  }

  tokenOf(clientId: ClientId): FencingToken {
    return this.recordOf(clientId)?.token ?? assert.fail('nobody owns it')
  }

  /** The other nodes of which `nodeId` knows a filter that matches, those included that are down. */
  interested(nodeId: NodeId, topic: string): NodeId[] {
    return [...this.#everyNode.values()]
      .filter(node => node.nodeId !== nodeId && node.wants(topic))
      .map(node => node.nodeId)
  }

  #address(node: MoveNode): PeerAddress {
    const { nodeId, incarnation, transport } = node
    return { nodeId, incarnation, ...transport.self }
  }

  #meet(): void {
    for (const node of this.nodes.values()) {
      const others = [...this.nodes.values()].filter(other => other !== node)
      const addresses = others.map(other => this.#address(other))
      node.forwarder.setMembers(addresses)
      node.broker.sessions.moves.setMembers(addresses.map(({ nodeId }) => nodeId))
      node.transport.setMembers(
        addresses.filter(({ nodeId }) => !this.#cuts.has(linkName(node.nodeId, nodeId))),
      )
    }
  }

  async #write(key: string, isThere: boolean): Promise<void> {
    const put = { type: 'put', key, value: new Uint8Array(0) } as const
    const success = [isThere ? put : ({ type: 'delete', key } as const)]
    await this.service.connect().transact({ compare: [], success, failure: [] })
  }
}

function linkName(...nodeIds: NodeId[]): string {
  return nodeIds.sort().join(' ')
}

function publicationOf(topic: string, text: string, qos: QoS): Publication {
  return {
    topic,
    payload: Buffer.from(text),
    qos,
    retain: false,
    properties: undefined,
    expiresAtMs: undefined,
    publisher: 'publisher',
  }
}

function answerTo(packet: Packet): Packet | undefined {
  const messageId = packet.messageId ?? 0
  if (packet.cmd === 'publish' && packet.qos === 1) return { cmd: 'puback', messageId }
  if (packet.cmd === 'publish' && packet.qos === 2) return { cmd: 'pubrec', messageId }
  return packet.cmd === 'pubrel' ? { cmd: 'pubcomp', messageId } : undefined
}

export function textsOf(client: MemoryClient): string[] {
  return client.of('publish').map(({ payload }: IPublishPacket) => String(payload))
}
