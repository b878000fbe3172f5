import assert from 'node:assert/strict'
import { Coordinator } from '../../../coordination/coordinator.ts'
import { InterestExchange } from '../../../gossip/interest-exchange.ts'
import { HashedRemoteIndex } from '../../../routing/remote-index.ts'
import { SeededRandom } from '../../../sim/ports/seeded-random.ts'
import { SimCoordinationService } from '../../../sim/ports/sim-coordination-store.ts'
import { SimGossipBus, type SimGossip } from '../../../sim/ports/sim-gossip.ts'
import { SimPeerNetwork, type SimPeerTransport } from '../../../sim/ports/sim-peer-network.ts'
import { VirtualClock } from '../../../sim/ports/virtual-clock.ts'
import type { NodeId } from '../../../src/core/ids.ts'
import type {
  CoordinationOutcome,
  CoordinationTransaction,
} from '../../../src/core/ports/coordination-store.ts'
import type { Gossip, GossipListener } from '../../../src/core/ports/gossip.ts'
import type { Member } from '../../../src/core/ports/membership.ts'
import type { LocalGroup } from '../../../src/core/ports/routing.ts'
import type {
  ModeAnswer,
  ModeStatus,
  SubscriptionMode,
  SwitchPhase,
} from '../../../src/core/ports/subscription-mode.ts'
import { until } from '../../contract/harness.ts'
import { CutOffStore } from '../../coordination/support/cut-off-store.ts'
import { plainHolder } from '../../coordination/support/plain-holder.ts'
import { RecordingLogger } from '../../coordination/support/recording-logger.ts'

const CLUSTER = 'test'
const BARRIER_MS = 5000

/** A store that alters the records of interest a node writes, as a broken one might. */
class AlteringStore extends CutOffStore {
  alter: ((key: string, value: Uint8Array) => Uint8Array) | undefined
  /** Whether what the node has to acknowledge is kept from the store. */
  withholdsAcks: () => boolean = () => false

  override transact(transaction: CoordinationTransaction): Promise<CoordinationOutcome> {
    const { alter } = this
    const isAck = transaction.success.some(({ type, ...rest }) => {
      return type === 'put' && 'key' in rest && rest.key.includes('/mode-acks/')
    })
    if (isAck && this.withholdsAcks()) {
      return Promise.resolve({ outcome: 'unavailable', reason: 'withheld by the test' })
    }
    if (alter === undefined) return super.transact(transaction)
    const success = transaction.success.map(operation => {
      if (operation.type !== 'put' || !operation.key.includes('/routes/')) return operation
      return { ...operation, value: alter(operation.key, operation.value) }
    })
    return super.transact({ ...transaction, success })
  }
}

/** Gossip that can be altered on its way to one node. */
class AlteringGossip implements Gossip {
  readonly #inner: SimGossip
  alter: ((message: Uint8Array) => Uint8Array | undefined) | undefined
  published = 0

  constructor(inner: SimGossip) {
    this.#inner = inner
  }

  publish(message: Uint8Array): boolean {
    this.published++
    return this.#inner.publish(message)
  }

  onMessage(listener: GossipListener): void {
    this.#inner.onMessage((message, from) => {
      const altered = this.alter === undefined ? message : this.alter(message.slice())
      if (altered !== undefined) listener(altered, from)
    })
  }

  close(): void {
    this.#inner.close()
  }
}

/** One node: its coordinator and its interest exchange, with the production index. */
export class ModeNode {
  readonly nodeId: NodeId
  readonly coordinator: Coordinator
  readonly exchange: InterestExchange
  readonly index = new HashedRemoteIndex(CLUSTER)
  readonly store: AlteringStore
  readonly gossip: AlteringGossip
  readonly transport: SimPeerTransport
  readonly logger = new RecordingLogger()
  readonly filters = new Set<string>()
  readonly groups = new Map<string, LocalGroup>()
  /** Filters whose barrier `all` was reached, and that were not given up since. */
  readonly promised = new Set<string>()
  isStoreFull = false
  isAlive = true
  /** Which subscription to a filter is in force, by number. */
  readonly #current = new Map<string, number>()
  #subscriptions = 0
  #peers: readonly NodeId[] = []

  constructor(world: ModeWorld, nodeId: NodeId, seed: number, initialMode: SubscriptionMode) {
    const { clock, service, network, bus } = world
    this.nodeId = nodeId
    this.transport = network.transport(nodeId)
    this.store = new AlteringStore(service.connect(), clock)
    this.gossip = new AlteringGossip(bus.member(this.transport.self.peerId))
    const { transport, logger } = this
    this.coordinator = new Coordinator(
      {
        store: this.store,
        storeSize: { isNearQuota: () => this.isStoreFull },
        transport,
        clock,
        random: new SeededRandom(seed),
        logger,
      },
      {
        cluster: CLUSTER,
        nodeId,
        leaseTtlMs: 10_000,
        renewIntervalMs: 3000,
        leaseMarginMs: 1000,
        onOwnerLost: 'wait',
        initialMode,
      },
    )
    this.coordinator.serve(plainHolder(() => {}))
    this.exchange = new InterestExchange(
      {
        gossip: this.gossip,
        transport,
        records: this.coordinator.routes,
        local: { filters: () => this.filters, groups: () => this.groups.values() },
        remote: this.index,
        clock,
        logger,
      },
      { cluster: CLUSTER, batchIntervalMs: 20, digestIntervalMs: 1000 },
    )
    this.coordinator.addListener({ onMembersChanged: members => this.#meet(members) })
  }

  get mode(): ModeStatus {
    return this.coordinator.mode.status()
  }

  async join(): Promise<void> {
    const incarnation = await this.coordinator.join({
      peerId: this.transport.self.peerId,
      addresses: this.transport.self.addresses,
      state: 'ready',
      version: '0.0.0',
      mqttAddress: '127.0.0.1:1',
      adminUrl: 'http://127.0.0.1:2',
      startedAtMs: 0,
    })
    this.transport.start(this.nodeId, incarnation)
    this.exchange.start(this.nodeId, incarnation)
    this.coordinator.mode.serve(this.exchange.feeds)
    this.#meet(this.coordinator.members)
  }

  /** Subscribes, and from the moment its barrier is reached counts on being found. */
  subscribe(filter: string): void {
    if (this.filters.has(filter)) return
    this.filters.add(filter)
    const subscription = ++this.#subscriptions
    this.#current.set(filter, subscription)
    this.exchange.added(filter)
    this.exchange.whenApplied('all', BARRIER_MS, isApplied => {
      if (isApplied && this.#current.get(filter) === subscription) this.promised.add(filter)
    })
  }

  unsubscribe(filter: string): void {
    if (!this.filters.delete(filter)) return
    this.#current.delete(filter)
    this.promised.delete(filter)
    this.exchange.removed(filter)
  }

  share(members: number): void {
    if (members > 0) this.groups.set('g', { group: 'g', filter: 'jobs/#', members })
    else this.groups.delete('g')
    this.exchange.groupChanged('g', 'jobs/#', members)
  }

  request(to: SubscriptionMode): Promise<ModeAnswer> {
    return this.coordinator.mode.request(to, this.exchange.recordedBytes())
  }

  /** Keeps the cluster in that phase, until `release`. */
  hold(phase: SwitchPhase): void {
    this.store.withholdsAcks = () => this.mode.current?.phase === phase
  }

  release(): void {
    this.store.withholdsAcks = () => false
  }

  /** As kill -9. */
  async kill(): Promise<void> {
    this.isAlive = false
    this.store.setContact('cut')
    this.gossip.close()
    this.exchange.stop()
    await this.transport.close()
  }

  knows(other: ModeNode): boolean {
    return this.#peers.includes(other.nodeId) && !this.exchange.missing.includes(other.nodeId)
  }

  #meet(members: readonly Member[]): void {
    if (!this.isAlive) return
    const others = members.filter(({ nodeId }) => nodeId !== this.nodeId)
    this.#peers = others.map(({ nodeId }) => nodeId)
    this.exchange.setMembers(others)
    this.transport.setMembers(others)
  }
}

/**
 * Nodes over one simulated store, network and gossip. `advance` goes in steps of 5 ms; in each, filters come and go while
 * there is churn, and every promise made to a subscriber is checked at every node.
 */
export class ModeWorld {
  readonly clock = new VirtualClock()
  readonly service = new SimCoordinationService(this.clock)
  readonly network = new SimPeerNetwork(this.clock)
  readonly bus = new SimGossipBus(this.clock)
  readonly nodes: ModeNode[] = []
  readonly #random: SeededRandom
  readonly #initialMode: SubscriptionMode
  hasChurn = false
  /** Done to each node before it joins. */
  prepare: (node: ModeNode) => void = () => {}
  /** Lookups that had to find a subscriber. */
  checks = 0
  #made = 0

  constructor(seed = 1, initialMode: SubscriptionMode = 'gossip') {
    this.#random = new SeededRandom(seed)
    this.#initialMode = initialMode
  }

  get live(): readonly ModeNode[] {
    return this.nodes.filter(({ isAlive }) => isAlive)
  }

  get leader(): ModeNode | undefined {
    return this.live.find(({ coordinator }) => coordinator.isLeading)
  }

  async start(...nodeIds: NodeId[]): Promise<ModeNode[]> {
    const nodes = nodeIds.map(nodeId => {
      const node = new ModeNode(this, nodeId, 100 + ++this.#made, this.#initialMode)
      this.nodes.push(node)
      this.prepare(node)
      return node
    })
    await this.settled(Promise.all(nodes.map(node => node.join())))
    await this.until('everybody knows everybody', () => this.isWhole && this.leader !== undefined)
    return nodes
  }

  get isWhole(): boolean {
    return this.live.every(node => this.live.every(other => other === node || node.knows(other)))
  }

  async advance(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 5) {
      if (this.hasChurn) this.#churn()
      await this.clock.advance(Math.min(5, left))
      this.#check()
    }
  }

  until(what: string, condition: () => boolean, withinMs = 30_000): Promise<void> {
    return until(this, what, condition, withinMs)
  }

  async settled<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false
    const settle = (): void => void (isSettled = true)
    promise.then(settle, settle)
    await this.until('a promise settles', () => isSettled)
    return promise
  }

  /** Asks `node` for a switch, which must begin. */
  async begin(node: ModeNode, to: SubscriptionMode): Promise<void> {
    const answer = await this.settled(node.request(to))
    assert.equal(answer.isAccepted, true)
  }

  /** Advances until the switch under way is in that phase at every live node. */
  reach(phase: SwitchPhase): Promise<void> {
    return this.until(phase, () => this.live.every(({ mode }) => mode.current?.phase === phase))
  }

  /** Advances until no switch is under way, and answers how the last one ended as every node sees it. */
  async end(): Promise<ModeStatus> {
    const [first] = this.live
    assert.ok(first !== undefined)
    await this.until(
      'the switch ends',
      () => this.live.every(({ mode }) => mode.current === undefined && mode.epoch === first.mode.epoch),
      90_000,
    )
    return first.mode
  }

  /** Every node finds exactly the nodes that want a topic, once churn has ended. */
  async assertConverged(): Promise<void> {
    this.hasChurn = false
    await this.advance(3000)
    for (const node of this.live) {
      for (const topic of TOPICS) {
        const expected = this.live.filter(other => other !== node && wants(other, topic))
        assert.deepEqual(
          [...node.index.match(topic)].sort(),
          expected.map(({ nodeId }) => nodeId).sort(),
          `${topic} at ${node.nodeId}`,
        )
      }
      assert.deepEqual(node.exchange.missing, [])
    }
  }

  routeKeys(): readonly string[] {
    return this.service.state.range(`/grapevine/${CLUSTER}/routes/`).map(({ key }) => key)
  }

  #churn(): void {
    for (const node of this.live) {
      if (this.#random.fraction() > 0.5) continue
      const topic = TOPICS[Math.floor(this.#random.fraction() * TOPICS.length)] as string
      const filter = this.#random.fraction() < 0.3 ? `${topic}/#` : topic
      if (node.filters.has(filter)) node.unsubscribe(filter)
      else node.subscribe(filter)
      if (this.#random.fraction() < 0.1) node.share(Math.floor(this.#random.fraction() * 3))
    }
  }

  #check(): void {
    for (const subscriber of this.live) {
      for (const filter of subscriber.promised) {
        const topic = filter.replace('/#', '')
        for (const node of this.live) {
          // One that joined after the barrier has promised nothing, and matches everything until it knows.
          if (node === subscriber || !node.knows(subscriber)) continue
          this.checks++
          assert.ok(
            node.index.match(topic).includes(subscriber.nodeId),
            `${node.nodeId} misses ${filter} of ${subscriber.nodeId} at ${this.clock.now()} ms`,
          )
        }
      }
    }
  }
}

const TOPICS = Array.from({ length: 40 }, (_, i) => `site/${i}`)

function wants(node: ModeNode, topic: string): boolean {
  return node.filters.has(topic) || node.filters.has(`${topic}/#`)
}
