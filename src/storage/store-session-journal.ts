import type { ClientId } from '../core/ids.ts'
import type {
  QueuedRecord,
  SessionJournal,
  SessionRecord,
  StoredSession,
  SubscriptionRecord,
} from '../core/ports/session-journal.ts'
import type { Store, StoreOperation } from '../core/ports/store.ts'
import {
  clientPrefix,
  parseKey,
  queuedKey,
  sessionKey,
  SESSIONS_PREFIX,
  subscriptionKey,
} from './session-keys.ts'
import {
  corrupt,
  decodeQueued,
  decodeSession,
  decodeSubscription,
  encodeQueued,
  encodeSession,
  encodeSubscription,
} from './session-record-codec.ts'

/** Which rows a session has in the store. */
interface Rows {
  readonly prefix: string
  filters: Set<string> | undefined
  positions: Set<number> | undefined
}

interface LoadedSession extends StoredSession {
  readonly subscriptions: SubscriptionRecord[]
  readonly queue: QueuedRecord[]
}

/**
 * The session journal on the node's own store, one row per session, subscription and queued message (session-keys.ts).
 *
 * It remembers which rows each session has, not what is in them: so `deleteSession` is one atomic batch that reads
 * nothing, and `load` need not sweep. The cost is a set entry per subscription and per queued message, beside the
 * message itself that the session holds in memory anyway. Invariant: that index equals the keys of the store with every
 * appended batch applied, provided that `load` ran to its end before the first change to a store that holds sessions.
 *
 * A message queued for many sessions is stored once per session.
 */
export class StoreSessionJournal implements SessionJournal {
  readonly #store: Store
  readonly #rows = new Map<ClientId, Rows>()

  constructor(store: Store) {
    this.#store = store
  }

  get appended(): number {
    return this.#store.appended
  }

  get committed(): number {
    return this.#store.committed
  }

  onCommitted(listener: (upTo: number) => void): void {
    this.#store.onCommitted(listener)
  }

  putSession(record: SessionRecord): number {
    const { prefix } = this.#add(record.clientId)
    return this.#put(sessionKey(prefix), encodeSession(sessionKey(prefix), record))
  }

  deleteSession(clientId: ClientId): number {
    const { prefix, filters, positions } = this.#rows.get(clientId) ?? newRows(clientId)
    const batch: StoreOperation[] = [{ type: 'del', key: sessionKey(prefix) }]
    for (const filter of filters ?? []) batch.push({ type: 'del', key: subscriptionKey(prefix, filter) })
    for (const position of positions ?? []) batch.push({ type: 'del', key: queuedKey(prefix, position) })
    this.#rows.delete(clientId)
    return this.#store.append(batch)
  }

  putSubscription(clientId: ClientId, subscription: SubscriptionRecord): number {
    const rows = this.#existing(clientId)
    rows.filters ??= new Set()
    rows.filters.add(subscription.filter)
    const key = subscriptionKey(rows.prefix, subscription.filter)
    return this.#put(key, encodeSubscription(key, subscription))
  }

  deleteSubscription(clientId: ClientId, filter: string): number {
    const rows = this.#rows.get(clientId)
    rows?.filters?.delete(filter)
    return this.#delete(subscriptionKey(rows?.prefix ?? clientPrefix(clientId), filter))
  }

  enqueue(clientId: ClientId, message: QueuedRecord): number {
    const rows = this.#existing(clientId)
    rows.positions ??= new Set()
    rows.positions.add(message.position)
    const key = queuedKey(rows.prefix, message.position)
    return this.#put(key, encodeQueued(key, message))
  }

  dequeue(clientId: ClientId, position: number): number {
    const rows = this.#rows.get(clientId)
    rows?.positions?.delete(position)
    return this.#delete(queuedKey(rows?.prefix ?? clientPrefix(clientId), position))
  }

  async *load(): AsyncIterable<StoredSession> {
    let current: LoadedSession | undefined
    // The keys of one session lie together, its session record first.
    for await (const [key, value] of this.#store.range(SESSIONS_PREFIX)) {
      const parsed = parseKey(key)
      const { clientId } = parsed
      if (parsed.type === 'session') {
        if (current !== undefined) yield current
        const session = { clientId, ...decodeSession(key, value) }
        current = { session, subscriptions: [], queue: [] }
        this.#add(clientId)
        continue
      }
      if (current?.session.clientId !== clientId) throw corrupt(key, 'its session is missing')
      const rows = this.#existing(clientId)
      if (parsed.type === 'subscription') {
        current.subscriptions.push({ filter: parsed.filter, ...decodeSubscription(key, value) })
        rows.filters ??= new Set()
        rows.filters.add(parsed.filter)
      } else {
        current.queue.push({ position: parsed.position, ...decodeQueued(key, value) })
        rows.positions ??= new Set()
        rows.positions.add(parsed.position)
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

  #put(key: string, value: Uint8Array): number {
    return this.#store.append([{ type: 'put', key, value }])
  }

  #delete(key: string): number {
    return this.#store.append([{ type: 'del', key }])
  }
}

function newRows(clientId: ClientId): Rows {
  return { prefix: clientPrefix(clientId), filters: undefined, positions: undefined }
}
