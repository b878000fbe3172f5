import type { ClientId } from '../core/ids.ts'
import type {
  QueuedRecord,
  SessionJournal,
  SessionRecord,
  StoredQueueEntry,
  StoredSession,
  SubscriptionRecord,
  WillRecord,
} from '../core/ports/session-journal.ts'
import type { StoreOperation } from '../core/ports/store.ts'
import type { JournalWriter } from './journal-writer.ts'
import { corrupt } from './record-seal.ts'
import {
  clientPrefix,
  parseKey,
  queuedKey,
  receivedKey,
  sessionKey,
  SESSIONS_PREFIX,
  subscriptionKey,
  willKey,
} from './session-keys.ts'
import {
  checkReceived,
  decodeQueueEntry,
  decodeSession,
  decodeSubscription,
  decodeWill,
  encodeQueued,
  encodeReceived,
  encodeReleased,
  encodeSession,
  encodeSubscription,
  encodeWill,
} from './session-record-codec.ts'

/** Which rows a session has in the store. */
interface Rows {
  readonly prefix: string
  filters: Set<string> | undefined
  positions: Set<number> | undefined
  received: Set<number> | undefined
  hasWill: boolean
}

interface LoadedSession extends StoredSession {
  readonly subscriptions: SubscriptionRecord[]
  readonly queue: StoredQueueEntry[]
  readonly received: number[]
  will: WillRecord | undefined
}

/**
 * The session journal on the node's own store, one row per thing a session has (session-keys.ts).
 *
 * It remembers which rows each session has, not what is in them: so `deleteSession` is one atomic batch that reads
 * nothing, and `load` need not sweep. The cost is a set entry per subscription and per queued message, beside the
 * message itself that the session holds in memory anyway. Invariant: that index equals the keys of the store with every
 * appended batch applied, provided that `load` ran to its end before the first change to a store that holds sessions.
 *
 * A message queued for many sessions is stored once per session.
 */
export class StoreSessionJournal implements SessionJournal {
  readonly #writer: JournalWriter
  readonly #rows = new Map<ClientId, Rows>()

  constructor(writer: JournalWriter) {
    this.#writer = writer
  }

  get appended(): number {
    return this.#writer.appended
  }

  get committed(): number {
    return this.#writer.committed
  }

  onCommitted(listener: (upTo: number) => void): void {
    this.#writer.onCommitted(listener)
  }

  atomically(change: () => void): void {
    this.#writer.atomically(change)
  }

  putSession(record: SessionRecord): number {
    const key = sessionKey(this.#add(record.clientId).prefix)
    return this.#writer.put(key, encodeSession(key, record))
  }

  deleteSession(clientId: ClientId): number {
    const { prefix, filters, positions, received, hasWill } = this.#rows.get(clientId) ?? newRows(clientId)
    const batch: StoreOperation[] = [{ type: 'del', key: sessionKey(prefix) }]
    for (const filter of filters ?? []) batch.push({ type: 'del', key: subscriptionKey(prefix, filter) })
    for (const position of positions ?? []) batch.push({ type: 'del', key: queuedKey(prefix, position) })
    for (const packetId of received ?? []) batch.push({ type: 'del', key: receivedKey(prefix, packetId) })
    if (hasWill) batch.push({ type: 'del', key: willKey(prefix) })
    this.#rows.delete(clientId)
    return this.#writer.write(batch)
  }

  putSubscription(clientId: ClientId, subscription: SubscriptionRecord): number {
    const rows = this.#existing(clientId)
    rows.filters ??= new Set()
    rows.filters.add(subscription.filter)
    const key = subscriptionKey(rows.prefix, subscription.filter)
    return this.#writer.put(key, encodeSubscription(key, subscription))
  }

  deleteSubscription(clientId: ClientId, filter: string): number {
    const rows = this.#rows.get(clientId)
    rows?.filters?.delete(filter)
    return this.#writer.delete(subscriptionKey(rows?.prefix ?? clientPrefix(clientId), filter))
  }

  enqueue(clientId: ClientId, message: QueuedRecord): number {
    const rows = this.#existing(clientId)
    const positions = (rows.positions ??= new Set())
    const sizeBefore = positions.size
    positions.add(message.position)
    const key = queuedKey(rows.prefix, message.position)
    const record = encodeQueued(key, message)
    return positions.size > sizeBefore ? this.#writer.putNew(key, record) : this.#writer.put(key, record)
  }

  dequeue(clientId: ClientId, position: number): number {
    const rows = this.#rows.get(clientId)
    rows?.positions?.delete(position)
    return this.#writer.delete(queuedKey(rows?.prefix ?? clientPrefix(clientId), position))
  }

  release(clientId: ClientId, position: number): number {
    const rows = this.#existing(clientId)
    if (rows.positions?.has(position) !== true) return this.appended
    const key = queuedKey(rows.prefix, position)
    return this.#writer.put(key, encodeReleased(key))
  }

  putReceived(clientId: ClientId, packetId: number): number {
    const rows = this.#existing(clientId)
    rows.received ??= new Set()
    rows.received.add(packetId)
    const key = receivedKey(rows.prefix, packetId)
    return this.#writer.put(key, encodeReceived(key))
  }

  deleteReceived(clientId: ClientId, packetId: number): number {
    const rows = this.#rows.get(clientId)
    rows?.received?.delete(packetId)
    return this.#writer.delete(receivedKey(rows?.prefix ?? clientPrefix(clientId), packetId))
  }

  putWill(clientId: ClientId, will: WillRecord): number {
    const rows = this.#existing(clientId)
    rows.hasWill = true
    const key = willKey(rows.prefix)
    return this.#writer.put(key, encodeWill(key, will))
  }

  /** Writes nothing when there is none, which is what most connections have. */
  deleteWill(clientId: ClientId): number {
    const rows = this.#rows.get(clientId)
    if (rows?.hasWill !== true) return this.appended
    rows.hasWill = false
    return this.#writer.delete(willKey(rows.prefix))
  }

  async *load(): AsyncIterable<StoredSession> {
    let current: LoadedSession | undefined
    // The keys of one session lie together, its session record first.
    for await (const [key, value] of this.#writer.range(SESSIONS_PREFIX)) {
      const parsed = parseKey(key)
      const { clientId } = parsed
      if (parsed.type === 'session') {
        if (current !== undefined) yield current
        const session = { clientId, ...decodeSession(key, value) }
        current = { session, subscriptions: [], queue: [], received: [], will: undefined }
        this.#add(clientId)
        continue
      }
      if (current?.session.clientId !== clientId) throw corrupt(key, 'its session is missing')
      const rows = this.#existing(clientId)
      switch (parsed.type) {
        case 'subscription':
          current.subscriptions.push({ filter: parsed.filter, ...decodeSubscription(key, value) })
          rows.filters ??= new Set()
          rows.filters.add(parsed.filter)
          break
        case 'queued':
          current.queue.push({ position: parsed.position, ...decodeQueueEntry(key, value) })
          rows.positions ??= new Set()
          rows.positions.add(parsed.position)
          break
        case 'received':
          checkReceived(key, value)
          current.received.push(parsed.packetId)
          rows.received ??= new Set()
          rows.received.add(parsed.packetId)
          break
        case 'will':
          current.will = decodeWill(key, value)
          rows.hasWill = true
      }
    }
    if (current !== undefined) yield current
  }

  #add(clientId: ClientId): Rows {
    const known = this.#rows.get(clientId)
    if (known !== undefined) return known
    const rows = newRows(clientId)
    this.#rows.set(clientId, rows)
    return rows
  }

  /** A row without its session's record could not be loaded again: the caller's invariant, checked here. */
  #existing(clientId: ClientId): Rows {
    const rows = this.#rows.get(clientId)
    if (rows === undefined) throw new Error(`no session ${JSON.stringify(clientId)} is in the journal`)
    return rows
  }
}

function newRows(clientId: ClientId): Rows {
  return {
    prefix: clientPrefix(clientId),
    filters: undefined,
    positions: undefined,
    received: undefined,
    hasWill: false,
  }
}
