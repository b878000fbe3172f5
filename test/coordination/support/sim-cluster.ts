import { Coordinator } from '../../../coordination/coordinator.ts'
import { SeededRandom } from '../../../sim/ports/seeded-random.ts'
import { SimCoordinationService } from '../../../sim/ports/sim-coordination-store.ts'
import { SimPeerNetwork, type SimPeerTransport } from '../../../sim/ports/sim-peer-network.ts'
import { VirtualClock } from '../../../sim/ports/virtual-clock.ts'
import type { ClientId, FencingToken, NodeId } from '../../../src/core/ids.ts'
import type { Member, MemberDescription } from '../../../src/core/ports/membership.ts'
import type { ClaimAnswer } from '../../../src/core/ports/session-ownership.ts'
import { until } from '../../contract/harness.ts'
import { CutOffStore } from './cut-off-store.ts'
import { RecordingLogger } from './recording-logger.ts'

export const LEASE_TTL_MS = 10_000
export const LEASE_MARGIN_MS = 1000

/** A process of a node: its coordinator, what it holds, and what its listener was told. */
export class SimNode {
  readonly nodeId: NodeId
  readonly coordinator: Coordinator
  readonly transport: SimPeerTransport
  readonly store: CutOffStore
  readonly logger = new RecordingLogger()
  /** Tokens of the clients it serves. */
  readonly holding = new Map<ClientId, FencingToken>()
  readonly surrendered: ClientId[] = []
  readonly events: string[] = []

  constructor(
    clock: VirtualClock,
    service: SimCoordinationService,
    network: SimPeerNetwork,
    nodeId: NodeId,
    seed: number,
  ) {
    this.nodeId = nodeId
    this.transport = network.transport(nodeId)
    this.store = new CutOffStore(service.connect(), clock)
    this.coordinator = new Coordinator(
      {
        store: this.store,
        transport: this.transport,
        clock,
        random: new SeededRandom(seed),
        logger: this.logger,
      },
      {
        cluster: 'test',
        nodeId,
        leaseTtlMs: LEASE_TTL_MS,
        renewIntervalMs: 3000,
        leaseMarginMs: LEASE_MARGIN_MS,
      },
    )
    this.coordinator.serve({
      surrender: clientId => {
        this.holding.delete(clientId)
        this.surrendered.push(clientId)
      },
    })
    this.coordinator.addListener({
      onMembersChanged: members => this.#meet(members),
      onLeaderChanged: leader => this.events.push(`leader ${leader ?? 'none'}`),
      onSuspended: () => this.events.push('suspended'),
      onResumed: lost => this.events.push(`resumed without [${lost.join()}]`),
      onFailed: error => this.events.push(`failed ${error.code}`),
    })
  }

  async join(): Promise<void> {
    const incarnation = await this.coordinator.join(this.description)
    this.transport.start(this.nodeId, incarnation)
    this.#meet(this.coordinator.members)
  }

  get description(): MemberDescription {
    return {
      peerId: this.transport.self.peerId,
      addresses: this.transport.self.addresses,
      state: 'joining',
      version: '0.0.0',
      mqttAddress: '127.0.0.1:1',
      adminUrl: 'http://127.0.0.1:2',
      startedAtMs: 0,
    }
  }

  /** Claims, and serves the client when that succeeds. */
  async claim(clientId: ClientId): Promise<ClaimAnswer> {
    const answer = await this.coordinator.claim(clientId)
    if (answer.status === 'claimed') this.holding.set(clientId, answer.token)
    return answer
  }

  release(clientId: ClientId): void {
    const token = this.holding.get(clientId)
    this.holding.delete(clientId)
    if (token !== undefined) this.coordinator.release(clientId, token)
  }

  /** As `kill -9`: it says nothing more to anybody. */
  async kill(): Promise<void> {
    this.store.setContact('cut')
    await this.transport.close()
  }

  #meet(members: readonly Member[]): void {
    this.transport.setMembers(members.filter(({ nodeId }) => nodeId !== this.nodeId))
  }
}

/** Nodes over one simulated store, network and clock. */
export class SimCluster {
  readonly clock = new VirtualClock()
  readonly service = new SimCoordinationService(this.clock)
  readonly network = new SimPeerNetwork(this.clock)
  #seed: number

  constructor(seed = 1) {
    this.#seed = seed
  }

  advance(ms: number): Promise<void> {
    return this.clock.advance(ms)
  }

  /** A process that has not joined yet. */
  create(nodeId: NodeId): SimNode {
    return new SimNode(this.clock, this.service, this.network, nodeId, ++this.#seed)
  }

  /** Joined, and linked with everybody. */
  async start(...nodeIds: NodeId[]): Promise<SimNode[]> {
    const nodes = nodeIds.map(nodeId => this.create(nodeId))
    await this.settled(Promise.all(nodes.map(node => node.join())))
    await this.advance(200)
    return nodes
  }

  /** Awaits a promise, moving time until it settles. */
  async settled<T>(promise: Promise<T>, withinMs = 30_000): Promise<T> {
    let isSettled = false
    promise.then(
      () => (isSettled = true),
      () => (isSettled = true),
    )
    await until(this, 'a promise settles', () => isSettled, withinMs)
    return promise
  }

  /** As an operator may: the node's lease is gone in the store, whatever the node believes. */
  revokeLeaseOf(node: SimNode): Promise<void> {
    const { incarnation } = node.coordinator
    const leaseId = this.service.state.get(`/grapevine/test/members/${node.nodeId}/${incarnation}`)?.leaseId
    return leaseId === undefined ? Promise.resolve() : this.service.connect().revokeLease(leaseId)
  }

  /** What the store says about keys that contain `part`. */
  keys(part: string): string[] {
    return this.service.state
      .range('/grapevine/test/')
      .map(entry => entry.key)
      .filter(key => key.includes(part))
  }
}
