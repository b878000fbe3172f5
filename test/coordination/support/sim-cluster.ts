import type { OwnerLostPolicy } from '../../../coordination/claim-policy.ts'
import { Coordinator } from '../../../coordination/coordinator.ts'
import { KeyValueState } from '../../../coordination/embedded/key-value-state.ts'
import { SeededRandom } from '../../../sim/ports/seeded-random.ts'
import { SimCoordinationService } from '../../../sim/ports/sim-coordination-store.ts'
import { SimPeerNetwork, type SimPeerTransport } from '../../../sim/ports/sim-peer-network.ts'
import { VirtualClock } from '../../../sim/ports/virtual-clock.ts'
import type { ClientId, FencingToken, NodeId } from '../../../src/core/ids.ts'
import type { CoordinationEntry } from '../../../src/core/ports/coordination-store.ts'
import type { EpochMark, EpochMemory } from '../../../src/core/ports/epoch-memory.ts'
import type { Member, MemberDescription } from '../../../src/core/ports/membership.ts'
import type { ClaimAnswer, ClaimRequest } from '../../../src/core/ports/session-ownership.ts'
import { until } from '../../contract/harness.ts'
import { CutOffStore } from './cut-off-store.ts'
import { PausableClock } from './pausable-clock.ts'
import { plainHolder } from './plain-holder.ts'
import { RecordingLogger } from './recording-logger.ts'

export const LEASE_TTL_MS = 10_000
export const LEASE_MARGIN_MS = 1000

/** What a client asks that keeps nothing over a disconnection. */
export function plainClaim(clientId: ClientId): ClaimRequest {
  return { clientId, cleanStart: false, expiryIntervalSeconds: 0, will: undefined }
}

/** Where a node keeps what it needs over its lives. */
interface NodeDisk {
  readonly dataDirId: string
  readonly epochMemory: EpochMemory
}

/** A disk in memory. */
export class SimDisk implements NodeDisk {
  readonly dataDirId: string
  mark: EpochMark | undefined
  readonly epochMemory: EpochMemory = {
    load: () => Promise.resolve(this.mark),
    save: mark => {
      this.mark = mark
    },
  }

  constructor(dataDirId: string) {
    this.dataDirId = dataDirId
  }
}

/** A process of a node: its coordinator, what it holds, and what its listener was told. */
export class SimNode {
  readonly nodeId: NodeId
  readonly coordinator: Coordinator
  readonly transport: SimPeerTransport
  readonly store: CutOffStore
  /** Time as this process knows it. */
  readonly clock: PausableClock
  readonly logger = new RecordingLogger()
  /** Tokens of the clients it serves. */
  readonly holding = new Map<ClientId, FencingToken>()
  readonly surrendered: ClientId[] = []
  /** On its disk, not claimed by this process. */
  readonly unclaimed: { readonly clientId: ClientId; readonly token: FencingToken }[] = []
  readonly events: string[] = []
  #isMeshWhole = true

  constructor(
    clock: VirtualClock,
    service: SimCoordinationService,
    network: SimPeerNetwork,
    nodeId: NodeId,
    seed: number,
    onOwnerLost: OwnerLostPolicy,
    disk: NodeDisk | undefined,
  ) {
    this.nodeId = nodeId
    this.transport = network.transport(nodeId)
    this.clock = new PausableClock(clock)
    this.store = new CutOffStore(service.connect(), this.clock)
    this.store.arrive = task => this.clock.run(task)
    this.coordinator = new Coordinator(
      {
        store: this.store,
        transport: this.transport,
        clock: this.clock,
        random: new SeededRandom(seed),
        logger: this.logger,
        ...(disk === undefined ? {} : { epochMemory: disk.epochMemory }),
      },
      {
        cluster: 'test',
        nodeId,
        leaseTtlMs: LEASE_TTL_MS,
        renewIntervalMs: 3000,
        leaseMarginMs: LEASE_MARGIN_MS,
        onOwnerLost,
        dataDirId: disk?.dataDirId,
      },
    )
    const holder = plainHolder(clientId => {
      this.holding.delete(clientId)
      this.surrendered.push(clientId)
    })
    this.coordinator.serve({
      ...holder,
      unclaimed: () => this.unclaimed,
      expiryOf: () => 3600,
      willPublished: clientId => this.events.push(`the will of ${clientId} was published`),
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
  async claim(clientId: ClientId, request: Partial<ClaimRequest> = {}): Promise<ClaimAnswer> {
    const answer = await this.coordinator.claim({ ...plainClaim(clientId), ...request })
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

  /** Takes its links to the other nodes away, or lets them come up again. */
  setMesh(isWhole: boolean): void {
    this.#isMeshWhole = isWhole
    this.#meet(this.coordinator.members)
  }

  #meet(members: readonly Member[]): void {
    const others = members.filter(({ nodeId }) => nodeId !== this.nodeId)
    this.transport.setMembers(this.#isMeshWhole ? others : [])
  }
}

/** Nodes over one simulated store, network and clock. */
export class SimCluster {
  readonly clock = new VirtualClock()
  service = new SimCoordinationService(this.clock)
  readonly network = new SimPeerNetwork(this.clock)
  readonly #onOwnerLost: OwnerLostPolicy
  readonly #nodes: SimNode[] = []
  #seed: number

  constructor(seed = 1, onOwnerLost: OwnerLostPolicy = 'wait') {
    this.#seed = seed
    this.#onOwnerLost = onOwnerLost
  }

  advance(ms: number): Promise<void> {
    return this.clock.advance(ms)
  }

  /** A process that has not joined yet. */
  create(nodeId: NodeId, disk?: NodeDisk): SimNode {
    const seed = ++this.#seed
    const { clock, service, network } = this
    const node = new SimNode(clock, service, network, nodeId, seed, this.#onOwnerLost, disk)
    this.#nodes.push(node)
    return node
  }

  /** Another store answers where the old one did: what a backup holds, or nothing. */
  replaceStore(backup?: { readonly entries: readonly CoordinationEntry[]; readonly revision: number }): void {
    const before = this.service
    this.service = new SimCoordinationService(
      this.clock,
      backup === undefined ? undefined : new KeyValueState(backup.entries, backup.revision),
    )
    // Stores give lease ids that no other store has given.
    for (let i = 0; i < 10_000; i++) this.service.grantLease(1)
    this.service.settle()
    for (const node of this.#nodes) node.store.moveTo(this.service.connect())
    before.state.expireLeases(Infinity)
  }

  /** All that is there now. */
  backUp(): { entries: readonly CoordinationEntry[]; revision: number } {
    const { state } = this.service
    return { entries: state.range('/'), revision: state.revision }
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
