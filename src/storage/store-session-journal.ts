import type { MessageId } from '../core/publication.ts'
import type { ClientId } from '../core/ids.ts'
import type {
  EstateId,
  KnownRecord,
  ReceivedRecord,
  QueuedRecord,
  SessionJournal,
  SessionPart,
  SessionRecord,
  StagedOrigin,
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
  knownKey,
  parseKey,
  queuedKey,
  receivedKey,
  sessionKey,
  SESSIONS_PREFIX,
  type Slot,
  subscriptionKey,
  willKey,
} from './session-keys.ts'
import {
  checkKnown,
  decodeQueueEntry,
  decodeReceived,
  decodeSession,
  decodeSubscription,
  decodeWill,
  encodeKnown,
  encodeQueued,
  encodeReceived,
  encodeReleased,
  encodeSession,
  encodeSubscription,
  encodeWill,
} from './session-record-codec.ts'
import { SessionRows } from './session-rows.ts'

interface Estate {
  readonly clientId: ClientId
  readonly rows: SessionRows
  readonly positions: Set<number>
}

interface LoadedSession extends StoredSession {
  staged?: StagedOrigin
  estate?: EstateId
  readonly subscriptions: SubscriptionRecord[]
  readonly queue: StoredQueueEntry[]
  readonly received: ReceivedRecord[]
  readonly known: KnownRecord[]
  will: WillRecord | undefined
}

/**
 * The session journal on the node's own store, one row per thing a session has (session-keys.ts).
 *
 * It remembers which rows each session has (session-rows.ts), not what is in them: so `deleteSession` is one atomic batch
 * that reads nothing, and `load` need not sweep. The cost is a set entry per subscription and per queued message, beside the
 * message itself that the session holds in memory anyway. Invariant: that index equals the keys of the store with every
 * appended batch applied, provided that `load` ran to its end before the first change to a store that holds sessions.
 *
 * A message queued for many sessions is stored once per session.
 */
export class StoreSessionJournal implements SessionJournal {
  readonly #writer: JournalWriter
  readonly #rows = new Map<ClientId, SessionRows>()
  readonly #staged = new Map<ClientId, SessionRows>()
  readonly #estates = new Map<EstateId, Estate>()
  /** Slots that estates lie in. */
  readonly #estateSlots = new Map<ClientId, Set<Slot>>()
  #lastEstate: EstateId = 0

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
    const batch = (this.#rows.get(clientId) ?? new SessionRows(clientId, '')).deletes()
    this.#rows.delete(clientId)
    return this.#writer.write(batch)
  }

  bequeath(record: SessionRecord, positions: readonly number[]): EstateId {
    const { clientId } = record
    const rows = this.#existing(clientId)
    const kept = new Set(positions)
    for (const position of kept) rows.positions?.delete(position)
    const others = rows.deletes().slice(1)
    const key = sessionKey(rows.prefix)
    const put = { type: 'put', key, value: encodeSession(key, record, { isOver: true }) } as const
    this.#rows.delete(clientId)
    this.#writer.write([put, ...others])
    const left = new SessionRows(clientId, rows.slot)
    left.positions = kept
    return this.#addEstate(clientId, left)
  }

  leave(record: SessionRecord, messages: readonly QueuedRecord[]): EstateId {
    const { clientId } = record
    const rows = new SessionRows(clientId, this.#freeSlot(clientId))
    const key = sessionKey(rows.prefix)
    this.#writer.put(key, encodeSession(key, record, { isOver: true }))
    for (const message of messages) this.#enqueue(rows, message)
    return this.#addEstate(clientId, rows)
  }

  dequeueEstate(id: EstateId, positions: readonly number[]): number {
    const estate = this.#estates.get(id)
    if (estate === undefined) throw new Error(`no estate ${id} is in the journal`)
    const { clientId, rows } = estate
    const { slot, prefix } = rows
    const batch: StoreOperation[] = []
    for (const position of positions) {
      estate.positions.delete(position)
      batch.push({ type: 'del', key: queuedKey(prefix, position) })
    }
    if (estate.positions.size === 0) {
      batch.push({ type: 'del', key: sessionKey(prefix) })
      this.#estates.delete(id)
      const slots = this.#estateSlots.get(clientId)
      if (slots?.delete(slot) === true && slots.size === 0) this.#estateSlots.delete(clientId)
    }
    return this.#writer.write(batch)
  }

  #addEstate(clientId: ClientId, rows: SessionRows): EstateId {
    const id = ++this.#lastEstate
    this.#estates.set(id, { clientId, rows, positions: (rows.positions ??= new Set()) })
    this.#estateSlots.set(clientId, (this.#estateSlots.get(clientId) ?? new Set()).add(rows.slot))
    return id
  }

  putSubscription(clientId: ClientId, subscription: SubscriptionRecord): number {
    return this.#putSubscription(this.#existing(clientId), subscription)
  }

  #putSubscription(rows: SessionRows, subscription: SubscriptionRecord): number {
    rows.addFilter(subscription.filter)
    const key = subscriptionKey(rows.prefix, subscription.filter)
    return this.#writer.put(key, encodeSubscription(key, subscription))
  }

  deleteSubscription(clientId: ClientId, filter: string): number {
    const rows = this.#rows.get(clientId)
    rows?.filters?.delete(filter)
    return this.#writer.delete(subscriptionKey(rows?.prefix ?? clientPrefix(clientId), filter))
  }

  enqueue(clientId: ClientId, message: QueuedRecord): number {
    return this.#enqueue(this.#existing(clientId), message)
  }

  #enqueue(rows: SessionRows, message: QueuedRecord): number {
    const isNew = rows.addPosition(message.position)
    const key = queuedKey(rows.prefix, message.position)
    const record = encodeQueued(key, message)
    return isNew ? this.#writer.putNew(key, record) : this.#writer.put(key, record)
  }

  dequeue(clientId: ClientId, position: number): number {
    const rows = this.#rows.get(clientId)
    rows?.positions?.delete(position)
    return this.#writer.delete(queuedKey(rows?.prefix ?? clientPrefix(clientId), position))
  }

  release(clientId: ClientId, position: number): number {
    const rows = this.#existing(clientId)
    if (rows.positions?.has(position) !== true) return this.appended
    return this.#putReleased(rows, position)
  }

  #putReleased({ prefix }: SessionRows, position: number): number {
    const key = queuedKey(prefix, position)
    return this.#writer.put(key, encodeReleased(key))
  }

  putReceived(clientId: ClientId, packetId: number, id: MessageId | undefined): number {
    return this.#putReceived(this.#existing(clientId), { packetId, id })
  }

  #putReceived(rows: SessionRows, { packetId, ...received }: ReceivedRecord): number {
    rows.addReceived(packetId)
    const key = receivedKey(rows.prefix, packetId)
    return this.#writer.put(key, encodeReceived(key, received))
  }

  deleteReceived(clientId: ClientId, packetId: number): number {
    const rows = this.#rows.get(clientId)
    rows?.received?.delete(packetId)
    return this.#writer.delete(receivedKey(rows?.prefix ?? clientPrefix(clientId), packetId))
  }

  putKnown(clientId: ClientId, known: KnownRecord): number {
    return this.#putKnown(this.#existing(clientId), known)
  }

  #putKnown(rows: SessionRows, { id }: KnownRecord): number {
    const key = knownKey(rows.prefix, id)
    rows.addKnown(key)
    return this.#writer.put(key, encodeKnown(key))
  }

  deleteKnown(clientId: ClientId): number {
    const rows = this.#rows.get(clientId)
    if (rows?.known === undefined) return this.appended
    const batch = Array.from(rows.known, key => ({ type: 'del', key }) as const)
    rows.known = undefined
    return this.#writer.write(batch)
  }

  putWill(clientId: ClientId, will: WillRecord): number {
    return this.#putWill(this.#existing(clientId), will)
  }

  #putWill(rows: SessionRows, will: WillRecord): number {
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

  beginStaged(record: SessionRecord, origin: StagedOrigin): number {
    const { clientId } = record
    const before = this.#staged.get(clientId)
    this.#staged.delete(clientId)
    const rows = new SessionRows(clientId, this.#freeSlot(clientId))
    const key = sessionKey(rows.prefix)
    this.#staged.set(clientId, rows)
    const put = { type: 'put', key, value: encodeSession(key, record, { staged: origin }) } as const
    return this.#writer.write(before === undefined ? [put] : [...before.deletes(), put])
  }

  stage(clientId: ClientId, part: SessionPart): number {
    const rows = this.#staged.get(clientId)
    if (rows === undefined) throw new Error(`no session ${JSON.stringify(clientId)} is staged in the journal`)
    switch (part.type) {
      case 'subscription':
        return this.#putSubscription(rows, part.subscription)
      case 'received':
        return this.#putReceived(rows, { packetId: part.packetId, id: part.id, isFromElsewhere: true })
      case 'will':
        return this.#putWill(rows, part.will)
      case 'known':
        return this.#putKnown(rows, part)
      case 'debt':
        return this.appended
      case 'entry':
        if (!('isReleased' in part.entry)) return this.#enqueue(rows, part.entry)
        rows.addPosition(part.entry.position)
        return this.#putReleased(rows, part.entry.position)
    }
  }

  discardStaged(clientId: ClientId): number {
    const rows = this.#staged.get(clientId)
    if (rows === undefined) return this.appended
    this.#staged.delete(clientId)
    return this.#writer.write(rows.deletes())
  }

  activateStaged(record: SessionRecord): number {
    const { clientId } = record
    const staged = this.#staged.get(clientId)
    if (staged === undefined)
      throw new Error(`no session ${JSON.stringify(clientId)} is staged in the journal`)
    const replaced = this.#rows.get(clientId)
    this.#staged.delete(clientId)
    this.#rows.set(clientId, staged)
    const key = sessionKey(staged.prefix)
    const put = { type: 'put', key, value: encodeSession(key, record) } as const
    return this.#writer.write(replaced === undefined ? [put] : [...replaced.deletes(), put])
  }

  async *load(): AsyncIterable<StoredSession> {
    let current: LoadedSession | undefined
    let rows: SessionRows | undefined
    // The keys of one slot lie together, its session record first.
    for await (const [key, value] of this.#writer.range(SESSIONS_PREFIX)) {
      const parsed = parseKey(key)
      const { clientId, slot } = parsed
      if (parsed.type === 'session') {
        if (current !== undefined) yield current
        const { session, staged, isOver } = decodeSession(key, value)
        current = {
          session: { clientId, ...session },
          subscriptions: [],
          queue: [],
          received: [],
          known: [],
          will: undefined,
        }
        rows = new SessionRows(clientId, slot)
        if (isOver) {
          current.estate = this.#addEstate(clientId, rows)
          continue
        }
        const place = staged === undefined ? this.#rows : this.#staged
        if (place.has(clientId)) throw corrupt(key, 'the session is there twice')
        place.set(clientId, rows)
        if (staged !== undefined) current.staged = staged
        continue
      }
      if (current?.session.clientId !== clientId || rows?.slot !== slot)
        throw corrupt(key, 'its session is missing')
      switch (parsed.type) {
        case 'subscription':
          current.subscriptions.push({ filter: parsed.filter, ...decodeSubscription(key, value) })
          rows.addFilter(parsed.filter)
          break
        case 'queued':
          current.queue.push({ position: parsed.position, ...decodeQueueEntry(key, value) })
          rows.addPosition(parsed.position)
          break
        case 'received':
          current.received.push({ packetId: parsed.packetId, ...decodeReceived(key, value) })
          rows.addReceived(parsed.packetId)
          break
        case 'known':
          checkKnown(key, value)
          current.known.push({ id: parsed.id })
          rows.addKnown(key)
          break
        case 'will':
          current.will = decodeWill(key, value)
          rows.hasWill = true
      }
    }
    if (current !== undefined) yield current
  }

  #add(clientId: ClientId): SessionRows {
    const known = this.#rows.get(clientId)
    if (known !== undefined) return known
    const rows = new SessionRows(clientId, this.#freeSlot(clientId))
    this.#rows.set(clientId, rows)
    return rows
  }

  /** The first that neither a session of that name lies in, nor a staged one, nor an estate. */
  #freeSlot(clientId: ClientId): Slot {
    const estates = this.#estateSlots.get(clientId)
    const session = this.#rows.get(clientId)?.slot
    const staged = this.#staged.get(clientId)?.slot
    let slot: Slot = ''
    while (slot === session || slot === staged || estates?.has(slot) === true) slot += '~'
    return slot
  }

  /** A row without its session's record could not be loaded again: the caller's invariant, checked here. */
  #existing(clientId: ClientId): SessionRows {
    const rows = this.#rows.get(clientId)
    if (rows === undefined) throw new Error(`no session ${JSON.stringify(clientId)} is in the journal`)
    return rows
  }
}
