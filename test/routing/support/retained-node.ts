import { RetainedPlacement } from '../../../routing/retained-placement.ts'
import { TopicTreeRetainedIndex } from '../../../routing/retained-index.ts'
import { RetainedSync } from '../../../routing/retained-sync.ts'
import type { SimPeerNetwork, SimPeerTransport } from '../../../sim/ports/sim-peer-network.ts'
import type { VirtualClock } from '../../../sim/ports/virtual-clock.ts'
import type { Clock } from '../../../src/core/ports/clock.ts'
import type { LogFields, Logger } from '../../../src/core/ports/logger.ts'
import type { Publication } from '../../../src/core/publication.ts'
import { isAbsent } from '../../../src/core/retained-entry.ts'
import { RetainedMessages } from '../../../src/mqtt/retained-messages.ts'
import { JournalWriter } from '../../../src/storage/journal-writer.ts'
import { MemoryStore } from '../../../src/storage/memory-store.ts'
import { StoreRetainedJournal } from '../../../src/storage/store-retained-journal.ts'
import { StoreSessionJournal } from '../../../src/storage/store-session-journal.ts'
import { defaultOptions } from '../../mqtt/support/mqtt-harness.ts'
import { silentLogger } from '../../support/silent-logger.ts'

export const DIGEST_MS = 1000
export const NOW_MS = 1_800_000_000_000
export const INLINE_BYTES_MAX = 100

/** A node's retained messages, their comparison with others', and where large ones are; its wall clock may be wrong. */
export class RetainedNode {
  readonly nodeId: string
  readonly incarnation: number
  readonly transport: SimPeerTransport
  readonly messages: RetainedMessages
  readonly placement: RetainedPlacement
  readonly sync: RetainedSync
  readonly stats = { retainedRefused: 0, retainedFromFuture: 0 }
  readonly warnings: { readonly message: string; readonly fields: LogFields | undefined }[] = []
  readonly #journal: StoreRetainedJournal
  /** Survives it. */
  readonly disk: Map<string, Uint8Array>
  skewMs = 0

  /** `disk`: what an earlier life left. */
  constructor(
    time: VirtualClock,
    network: SimPeerNetwork,
    nodeId: string,
    incarnation: number,
    disk = new Map<string, Uint8Array>(),
  ) {
    this.disk = disk
    this.nodeId = nodeId
    this.incarnation = incarnation
    const clock: Clock = {
      now: () => time.now(),
      wallNow: () => NOW_MS + time.now() + this.skewMs,
      schedule: (delayMs, task) => time.schedule(delayMs, task),
      repeat: (intervalMs, task) => time.repeat(intervalMs, task),
      defer: task => time.defer(task),
    }
    const logger: Logger = {
      ...silentLogger,
      warn: (message, fields) => void this.warnings.push({ message, fields }),
    }
    this.transport = network.transport(nodeId)
    const { transport } = this
    const writer = new JournalWriter(new MemoryStore({ clock, entries: disk }))
    const journal = new StoreSessionJournal(writer)
    this.placement = new RetainedPlacement(
      { transport, replica: () => this.messages, journal, clock, logger },
      { nodeId, cluster: 'test', inlineBytesMax: INLINE_BYTES_MAX, intervalMs: DIGEST_MS },
    )
    this.#journal = new StoreRetainedJournal(writer)
    this.messages = new RetainedMessages(new TopicTreeRetainedIndex(), this.#journal, this.placement, {
      clock,
      stats: this.stats as never,
      options: { ...defaultOptions, retainedMessagesMax: 10_000 },
    })
    this.messages.start(incarnation)
    this.sync = new RetainedSync(
      { transport, replica: this.messages, placement: this.placement, clock, logger },
      { digestIntervalMs: DIGEST_MS },
    )
    transport.start(nodeId, incarnation)
    this.sync.start()
    this.placement.start()
  }

  /** What an earlier life left on disk. Before it meets others. */
  async restore(): Promise<void> {
    for await (const entry of this.#journal.load()) this.messages.restore(entry)
  }

  /** Retains it here, and at the nodes that a forward reaches. */
  publish(topic: string, payload: string, expiresAtMs?: number, reached: readonly RetainedNode[] = []): void {
    const publication: Publication = {
      topic,
      payload: Buffer.from(payload),
      qos: 1,
      retain: true,
      properties: undefined,
      expiresAtMs,
      publisher: 'p',
    }
    this.messages.publish(publication)
    const { stamp } = publication
    if (stamp === undefined) throw new Error('it was not retained')
    for (const { messages } of reached) messages.apply({ ...publication, stamp })
  }

  /** What a client that subscribes here now gets for the topic; undefined while it is waited for, and when it gets nothing. */
  read(topic: string): { payload: string | undefined; isDone: boolean } {
    const answer: { payload: string | undefined; isDone: boolean } = { payload: undefined, isDone: false }
    this.messages.complete(topic, whole => {
      answer.payload = whole && String(whole.payload)
      answer.isDone = true
    })
    return answer
  }

  /** Whether the payload of the topic's message is kept here. */
  holds(topic: string): boolean {
    const entry = this.messages.entryOf(topic)
    return entry !== undefined && !isAbsent(entry) && entry.payload.length > 0
  }

  /** By topic; a payload that is not here is undefined. */
  get contents(): Record<string, string | undefined> {
    const found = this.messages
      .match('#')
      .map(message => [message.topic, isAbsent(message) ? undefined : String(message.payload)])
    return Object.fromEntries(found.sort()) as Record<string, string | undefined>
  }

  kill(): void {
    this.sync.stop()
    this.placement.stop()
    void this.transport.close()
  }
}

/** These, and nobody else, are members for each other. */
export function meet(members: readonly RetainedNode[]): void {
  for (const node of members) {
    const peers = members
      .filter(other => other !== node)
      .map(({ nodeId, incarnation, transport }) => ({ nodeId, incarnation, ...transport.self }))
    node.transport.setMembers(peers)
    node.placement.setMembers(members.map(({ nodeId }) => ({ nodeId, state: 'ready' })))
    node.sync.setMembers(peers as never)
  }
}
