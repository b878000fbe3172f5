import type { PeerAddress } from '../../../src/core/ports/peer-transport.ts'
import type { Acceptance, LocalSubscription, RemoteGroup } from '../../../src/core/ports/routing.ts'
import type { Publication } from '../../../src/core/publication.ts'
import type { QoS } from '../../../src/core/qos.ts'
import { JournalWriter } from '../../../src/storage/journal-writer.ts'
import { MemoryStore } from '../../../src/storage/memory-store.ts'
import { StoreOutboxJournal } from '../../../src/storage/store-outbox-journal.ts'
import { StoreSeenJournal } from '../../../src/storage/store-seen-journal.ts'
import { PlainPacketDecoder } from '../../../src/mqtt/wire/plain-packet-decoder.ts'
import { TrieLocalIndex } from '../../../routing/local-index.ts'
import { LocalRouter } from '../../../routing/local-router.ts'
import { MeshRouter } from '../../../routing/mesh-router.ts'
import { SharedGroups } from '../../../routing/shared-groups.ts'
import { SharedTickets, type SharedStrategy } from '../../../routing/shared-tickets.ts'
import { PeerForwarder, type ForwarderOptions } from '../../../routing/peer-forwarder.ts'
import { SeededRandom } from '../../../sim/ports/seeded-random.ts'
import type { SimPeerNetwork, SimPeerTransport } from '../../../sim/ports/sim-peer-network.ts'
import type { SimDisk } from '../../../sim/ports/sim-store.ts'
import type { VirtualClock } from '../../../sim/ports/virtual-clock.ts'
import type { LogFields } from '../../../src/core/ports/logger.ts'
import { silentLogger } from '../../support/silent-logger.ts'

/** Acceptance of publications: of how many somebody is still waited for, and what the journal must have committed. */
export class CountedAcceptance implements Acceptance {
  outstanding = 0
  storeSequence = 0
  sendAfter = 0

  expect(): void {
    this.outstanding++
  }

  settle(): void {
    this.outstanding--
  }

  requireCommitted(storeSequence: number): void {
    this.storeSequence = Math.max(this.storeSequence, storeSequence)
  }
}

export function publication(payload: string, qos: QoS, expiresAtMs?: number): Publication {
  return {
    topic: 't',
    payload: Buffer.from(payload),
    qos,
    retain: false,
    properties: undefined,
    expiresAtMs,
    publisher: 'p',
  }
}

interface Placement {
  readonly network: SimPeerNetwork
  readonly clock: VirtualClock
  readonly nodeId: string
  readonly incarnation: number
  /** What an earlier life left. */
  readonly disk?: SimDisk
  readonly options?: Partial<ForwarderOptions>
  readonly strategy?: SharedStrategy
}

/** One node's forwarding on a store a test may hold back, with a subscriber of everything. */
export class ForwardingNode {
  readonly received: string[] = []
  readonly disk: SimDisk
  readonly store: MemoryStore
  readonly writer: JournalWriter
  readonly transport: SimPeerTransport
  readonly index = new TrieLocalIndex()
  readonly local: LocalRouter
  readonly forwarder: PeerForwarder
  readonly router: MeshRouter
  readonly address: PeerAddress
  /** Deliveries write to the store. */
  isJournaling = false
  /** Nothing is committed until `commit`. */
  isHeld = false
  /** Nodes everything is forwarded to. */
  interested: readonly string[] = []
  /** Nodes whose interest is not known. */
  readonly unknownElsewhere: string[] = []
  /** Shared subscriptions of other nodes. */
  sharedElsewhere: readonly RemoteGroup[] = []
  readonly shared: SharedGroups
  /** Infos and warnings of the forwarder. */
  readonly logged: {
    readonly level: string
    readonly message: string
    readonly fields: LogFields | undefined
  }[] = []
  readonly #commits: (() => void)[] = []

  constructor({
    network,
    clock,
    nodeId,
    incarnation,
    disk = new Map(),
    options,
    strategy = 'round-robin',
  }: Placement) {
    this.disk = disk
    this.transport = network.transport(nodeId)
    const defer = (task: () => void): void => {
      if (this.isHeld) this.#commits.push(task)
      else clock.defer(task)
    }
    this.store = new MemoryStore({ clock: { defer }, entries: disk })
    this.writer = new JournalWriter(this.store)
    const index = this.index
    const subscription: LocalSubscription = {
      filter: '#',
      qos: 1,
      noLocal: false,
      retainAsPublished: false,
      group: undefined,
      subscriptionIdentifiers: [],
      subscriber: {
        clientId: 's',
        canTakeShared: true,
        deliver: ({ payload }) => {
          this.received.push(Buffer.from(payload).toString())
          if (this.isJournaling) this.writer.put('delivery', Uint8Array.of(1))
        },
      },
    }
    index.add(subscription)
    const random = new SeededRandom(incarnation)
    const tickets = new SharedTickets(strategy, random)
    this.local = new LocalRouter(index, this.writer, new StoreSeenJournal(this.writer), tickets)
    this.forwarder = new PeerForwarder(
      {
        transport: this.transport,
        local: this.local,
        packets: new PlainPacketDecoder(),
        retained: { apply: () => false },
        journal: this.writer,
        outboxJournal: new StoreOutboxJournal(this.writer),
        clock,
        logger: {
          ...silentLogger,
          info: (message, fields) => void this.logged.push({ level: 'info', message, fields }),
          warn: (message, fields) => void this.logged.push({ level: 'warn', message, fields }),
        },
      },
      { acceptTimeoutMs: 1000, outboxMessagesMax: 10_000, outboxBytesMax: 10_000_000, ...options },
    )
    this.shared = new SharedGroups(nodeId, tickets, random, peer => this.forwarder.peers.isMember(peer))
    this.router = new MeshRouter(
      this.local,
      {
        match: () => this.interested,
        matchShared: () => this.sharedElsewhere,
        unknownNodes: this.unknownElsewhere,
      },
      this.forwarder,
      this.shared,
    )
    this.forwarder.onUndelivered((...undelivered) => this.router.redispatch(...undelivered))
    this.router.start(incarnation)
    this.address = { nodeId, incarnation, ...this.transport.self }
    this.transport.start(nodeId, incarnation)
  }

  know(...peers: ForwardingNode[]): void {
    const addresses = peers.map(({ address }) => address)
    this.forwarder.setMembers(addresses)
    this.transport.setMembers(addresses)
  }

  /** Commits everything appended so far. */
  commit(): void {
    for (const task of this.#commits.splice(0)) task()
  }

  /** Ends without a word, as by kill -9: what is not committed is lost. */
  async kill(): Promise<void> {
    this.isHeld = true
    this.forwarder.stop()
    await this.transport.close()
  }

  /** Outbox records on the disk. */
  get kept(): number {
    return [...this.disk.keys()].filter(key => key.startsWith('outbox/')).length
  }
}
