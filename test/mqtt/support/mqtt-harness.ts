import type { IConnectPacket } from 'mqtt-packet'
import type { LogFields } from '../../../src/core/ports/logger.ts'
import type { ClientId, FencingToken } from '../../../src/core/ids.ts'
import type { Acceptance, Forwarder, RouteBarrier } from '../../../src/core/ports/routing.ts'
import type {
  ClaimAnswer,
  ClaimRequest,
  SessionOwnership,
} from '../../../src/core/ports/session-ownership.ts'
import type { Store } from '../../../src/core/ports/store.ts'
import { MqttBroker } from '../../../src/mqtt/mqtt-broker.ts'
import type { MqttOptions } from '../../../src/mqtt/mqtt-services.ts'
import type { ProtocolVersion } from '../../../src/mqtt/wire/packet-types.ts'
import { MemoryStore } from '../../../src/storage/memory-store.ts'
import { JournalWriter } from '../../../src/storage/journal-writer.ts'
import { StoreRetainedJournal } from '../../../src/storage/store-retained-journal.ts'
import { StoreSeenJournal } from '../../../src/storage/store-seen-journal.ts'
import { StoreSessionJournal } from '../../../src/storage/store-session-journal.ts'
import { TrieLocalIndex } from '../../../routing/local-index.ts'
import { LocalRouter } from '../../../routing/local-router.ts'
import { MeshRouter } from '../../../routing/mesh-router.ts'
import { SharedGroups } from '../../../routing/shared-groups.ts'
import { SharedTickets } from '../../../routing/shared-tickets.ts'
import { HashedRemoteIndex } from '../../../routing/remote-index.ts'
import { TopicTreeRetainedIndex } from '../../../routing/retained-index.ts'
import { SeededRandom } from '../../../sim/ports/seeded-random.ts'
import { VirtualClock } from '../../../sim/ports/virtual-clock.ts'
import { payloadsHere } from '../../support/payloads-here.ts'
import { silentLogger } from '../../support/silent-logger.ts'
import { MemoryClient } from './memory-stream.ts'

/** Ownership a test steers. Grants everything, with rising tokens, unless told otherwise. */
export class SteeredOwnership implements SessionOwnership {
  mayAct = true
  /** When set, claims wait until the test answers them. */
  isHolding = false
  answer: ((clientId: ClientId) => ClaimAnswer) | undefined
  readonly released: ClientId[] = []
  readonly claimed: ClientId[] = []
  readonly #held: (() => void)[] = []
  readonly #owned = new Map<ClientId, FencingToken>()
  #revision = 0

  claim({ clientId }: ClaimRequest): Promise<ClaimAnswer> {
    this.claimed.push(clientId)
    const owned = this.#owned.get(clientId)
    const token: FencingToken = owned ?? { epoch: 1, revision: ++this.#revision }
    this.#owned.set(clientId, token)
    const answer =
      this.answer?.(clientId) ??
      ({ status: 'claimed', token, resumableToken: owned, isTransferred: false } as const)
    if (!this.isHolding) return Promise.resolve(answer)
    return new Promise(resolve => this.#held.push(() => resolve(answer)))
  }

  answerHeld(): void {
    for (const answer of this.#held.splice(0)) answer()
  }

  release(clientId: ClientId): void {
    this.#owned.delete(clientId)
    this.released.push(clientId)
  }

  setWill(): Promise<boolean> {
    return Promise.resolve(true)
  }

  setExpiry(): void {}

  offer(): Promise<boolean> {
    return Promise.resolve(false)
  }

  mayAcknowledge(): boolean {
    return this.mayAct
  }
}

/** Stands for all other nodes: keeps what it should forward, and settles when the test says so. */
/** Reached at once, unless a test holds it; then `settle` decides. */
export class SteeredBarrier implements RouteBarrier {
  isHeld = false
  readonly asked: { readonly level: string; readonly timeoutMs: number; settle(isApplied: boolean): void }[] =
    []
  readonly #clock: VirtualClock

  constructor(clock: VirtualClock) {
    this.#clock = clock
  }

  whenApplied(level: 'quorum' | 'all', timeoutMs: number, done: (isApplied: boolean) => void): void {
    if (this.isHeld) this.asked.push({ level, timeoutMs, settle: done })
    else this.#clock.defer(() => done(true))
  }

  isAppliedUpTo(): boolean {
    return !this.isHeld
  }
}

export class SteeredForwarder implements Forwarder {
  heldBack = 0
  /** Whose queues are full. */
  readonly full = new Set<string>()
  readonly members: readonly string[] = []
  readonly forwarded: { nodeId: string; topic: string; acceptance: Acceptance | undefined }[] = []

  forward(nodeId: string, publication: { topic: string }, acceptance: Acceptance | undefined): void {
    acceptance?.expect()
    this.forwarded.push({ nodeId, topic: publication.topic, acceptance })
    if (acceptance !== undefined && this.full.has(nodeId)) this.heldBack++
  }

  forwardToGroup(
    nodeId: string,
    publication: { topic: string },
    _target: unknown,
    acceptance: Acceptance | undefined,
  ): void {
    this.forward(nodeId, publication, acceptance)
  }

  whenFlushed(): void {}

  debtsOf(): undefined {
    return undefined
  }

  takeOver(): void {}

  onWritable(): void {}
}

export const defaultOptions: MqttOptions = {
  keepAliveMax: 0,
  packetBytesMax: 1024 * 1024,
  topicLevelsMax: 128,
  receiveMax: 16,
  connectionsMax: 1000,
  expiryIntervalMax: 3600,
  queueMessagesMax: 100,
  queueBytesMax: 1024 * 1024,
  inflightMax: 8,
  subscriptionsMax: 10_000,
  wildcardLevelsMax: 20_000,
  topicAliasMax: 4,
  anonymous: true,
  retainAvailable: true,
  wildcardAvailable: true,
  sharedAvailable: true,
  responseTopicPrefix: 'reply/',
  queueDrop: 'newest',
  retainedMessagesMax: 1000,
  retainedTombstoneTtlMs: 86_400_000,
  subackBarrier: 'local',
  barrierTimeoutMs: 2000,
  retainedBytesMax: 16 * 1024 * 1024,
  sysIntervalMs: 0,
  suspendHoldMs: 30_000,
}

/** The MQTT side of one node with everything around it real, except time, the network, and the other nodes. */
export class MqttHarness {
  readonly clock = new VirtualClock()
  readonly ownership = new SteeredOwnership()
  readonly forwarder = new SteeredForwarder()
  readonly barrier = new SteeredBarrier(this.clock)
  readonly remote = new HashedRemoteIndex('test')
  readonly local = new TrieLocalIndex()
  readonly warnings: { readonly message: string; readonly fields: LogFields | undefined }[] = []
  readonly journal: StoreSessionJournal
  readonly broker: MqttBroker

  /** `serves`: from the start; else when the test calls `broker.serve`. */
  constructor(options: Partial<MqttOptions> = {}, store?: Store, serves = true) {
    const { local } = this
    const tickets = new SharedTickets('round-robin', new SeededRandom(2))
    const writer = new JournalWriter(store ?? new MemoryStore({ clock: this.clock }))
    this.journal = new StoreSessionJournal(writer)
    this.broker = new MqttBroker(
      {
        clock: this.clock,
        random: new SeededRandom(1),
        logger: { ...silentLogger, warn: (message, fields) => void this.warnings.push({ message, fields }) },
        journal: this.journal,
        retainedJournal: new StoreRetainedJournal(writer),
        retainedPayloads: payloadsHere,
        retainedIndex: new TopicTreeRetainedIndex(),
        authenticationMethods: [],
        router: new MeshRouter(
          new LocalRouter(local, this.journal, new StoreSeenJournal(writer), tickets),
          this.remote,
          this.forwarder,
          new SharedGroups('self', tickets, new SeededRandom(2), () => true),
        ),
        ownership: this.ownership,
        index: local,
        interest: { added() {}, removed() {}, groupChanged() {} },
        barrier: this.barrier,
        forwarder: this.forwarder,
      },
      { ...defaultOptions, ...options },
    )
    if (serves) this.broker.serve('0.0.0')
  }

  /** Lets everything that needs no time happen. */
  async settle(): Promise<void> {
    for (let i = 0; i < 4; i++) await this.clock.advance(1)
  }

  open(version: ProtocolVersion = 5): MemoryClient {
    const client = new MemoryClient(version)
    this.broker.sessions.accept(client.stream)
    return client
  }

  /** A client that has sent CONNECT, and time for the answer. */
  async connect(
    clientId: string,
    packet: Partial<IConnectPacket> = {},
    version: ProtocolVersion = 5,
  ): Promise<MemoryClient> {
    const client = this.open(version)
    client.send({
      cmd: 'connect',
      protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
      protocolVersion: version,
      clientId,
      clean: true,
      keepalive: 0,
      ...packet,
    })
    await this.settle()
    return client
  }

  async subscribe(client: MemoryClient, topic: string, qos: 0 | 1 | 2 = 1): Promise<void> {
    client.send({
      cmd: 'subscribe',
      messageId: 1,
      subscriptions: [{ topic, qos, nl: false, rap: false, rh: 0 }],
    })
    await this.settle()
  }
}
