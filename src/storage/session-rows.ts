import type { ClientId } from '../core/ids.ts'
import type { StoreOperation } from '../core/ports/store.ts'
import {
  clientPrefix,
  queuedKey,
  receivedKey,
  sessionKey,
  subscriptionKey,
  willKey,
  type Slot,
} from './session-keys.ts'

/**
 * Which rows one session has in the store, beside its record; not what is in them.
 *
 * It writes nothing. Invariant, kept with the journal: these are the keys in the store with every appended batch applied.
 */
export class SessionRows {
  readonly slot: Slot
  /** Of all their keys. */
  readonly prefix: string
  // Undefined until there is one: most sessions have few kinds of rows.
  filters: Set<string> | undefined
  positions: Set<number> | undefined
  received: Set<number> | undefined
  /** Keys. */
  known: Set<string> | undefined
  hasWill = false

  constructor(clientId: ClientId, slot: Slot) {
    this.slot = slot
    this.prefix = clientPrefix(clientId, slot)
  }

  addFilter(filter: string): void {
    this.filters ??= new Set()
    this.filters.add(filter)
  }

  /** False when there is a row for that position already. */
  addPosition(position: number): boolean {
    const positions = (this.positions ??= new Set())
    const sizeBefore = positions.size
    positions.add(position)
    return positions.size > sizeBefore
  }

  addReceived(packetId: number): void {
    this.received ??= new Set()
    this.received.add(packetId)
  }

  addKnown(key: string): void {
    this.known ??= new Set()
    this.known.add(key)
  }

  /** Deletes all, the session's record first. */
  deletes(): StoreOperation[] {
    const { prefix, filters, positions, received, known } = this
    const batch: StoreOperation[] = [{ type: 'del', key: sessionKey(prefix) }]
    for (const filter of filters ?? []) batch.push({ type: 'del', key: subscriptionKey(prefix, filter) })
    for (const position of positions ?? []) batch.push({ type: 'del', key: queuedKey(prefix, position) })
    for (const packetId of received ?? []) batch.push({ type: 'del', key: receivedKey(prefix, packetId) })
    for (const key of known ?? []) batch.push({ type: 'del', key })
    if (this.hasWill) batch.push({ type: 'del', key: willKey(prefix) })
    return batch
  }
}
