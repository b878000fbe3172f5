/**
 * Who is in the cluster, as the member keys say: one per live incarnation, gone with its lease.
 *
 * It only watches. While the store is away the members last known stay, since an outage of the store says nothing about
 * them; and whoever has this node's promise stays, though its key is gone, until `dropLapsed`. Invariant: at most one
 * incarnation per node, the newest; a listener is called exactly when the list changed, except for what members say of their
 * load: all do so several times a minute, and whatever follows from who is a member is as it was.
 */
import type { Incarnation, NodeId } from '../src/core/ids.ts'
import type {
  CoordinationEntry,
  CoordinationEvent,
  CoordinationStore,
  CoordinationWatch,
} from '../src/core/ports/coordination-store.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { Member } from '../src/core/ports/membership.ts'
import type { CoordinationKeys } from './keys.ts'
import { decodeMember } from './member-record.ts'

export interface MembershipListener {
  onChanged(): void
  /** At `revision` there was no such member key. Called for every key that disappears, and for the own one on resets. */
  onKeyAbsent(key: string, revision: number): void
  /** That life was registered at `revision`. */
  onRegistered(member: Member, revision: number): void
  /** Whether that life lives on without its key. */
  isPromised(nodeId: NodeId, incarnation: Incarnation): boolean
}

export class Membership {
  readonly #keys: CoordinationKeys
  readonly #logger: Logger
  readonly #listener: MembershipListener
  /** By key. */
  #members = new Map<string, Member>()
  /** Without their key, by that key. */
  readonly #kept = new Map<string, Member>()
  #watch: CoordinationWatch | undefined

  constructor(keys: CoordinationKeys, logger: Logger, listener: MembershipListener) {
    this.#keys = keys
    this.#logger = logger
    this.#listener = listener
  }

  /** Resolves when the members are known. `ownKey` is the one whose absence is to be reported. */
  start(store: CoordinationStore, ownKey: string): Promise<void> {
    return new Promise(resolve => {
      this.#watch = store.watch(this.#keys.members, {
        onReset: (entries, revision) => {
          this.#reset(entries)
          if (!this.#members.has(ownKey)) this.#listener.onKeyAbsent(ownKey, revision)
          resolve()
        },
        onEvents: events => this.#apply(events),
      })
    })
  }

  /** Live members sorted by node id. */
  list(): Member[] {
    const newest = new Map<NodeId, Member>()
    for (const member of [...this.#kept.values(), ...this.#members.values()]) {
      const other = newest.get(member.nodeId)
      if (other === undefined || other.incarnation < member.incarnation) newest.set(member.nodeId, member)
    }
    return [...newest.values()].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1))
  }

  /** Lets go of those that are promised nothing any more. */
  dropLapsed(): void {
    let hasDropped = false
    for (const [key, { nodeId, incarnation }] of this.#kept) {
      if (!this.#listener.isPromised(nodeId, incarnation)) hasDropped = this.#kept.delete(key)
    }
    if (hasDropped) this.#listener.onChanged()
  }

  isLive(nodeId: NodeId, incarnation: Incarnation): boolean {
    const key = this.#keys.member(nodeId, incarnation)
    return this.#members.has(key) || this.#kept.has(key)
  }

  close(): void {
    this.#watch?.close()
  }

  #reset(entries: readonly CoordinationEntry[]): void {
    const before = this.#members
    this.#members = new Map()
    for (const entry of entries) this.#put(entry)
    for (const [key, member] of before) if (!this.#members.has(key)) this.#keep(key, member)
    this.#listener.onChanged()
  }

  #apply(events: readonly CoordinationEvent[]): void {
    let hasChanged = false
    for (const event of events) {
      const isOther = event.type === 'put' ? this.#put(event.entry) : this.#remove(event.key)
      hasChanged ||= isOther
    }
    if (hasChanged) this.#listener.onChanged()
    for (const event of events) {
      if (event.type === 'delete') this.#listener.onKeyAbsent(event.key, event.revision)
    }
  }

  #remove(key: string): boolean {
    const member = this.#members.get(key)
    if (member === undefined) return false
    this.#members.delete(key)
    this.#keep(key, member)
    return true
  }

  #keep(key: string, member: Member): void {
    if (this.#listener.isPromised(member.nodeId, member.incarnation)) this.#kept.set(key, member)
  }

  /** Whether it says anything new but the member's load. */
  #put({ key, value, modRevision }: CoordinationEntry): boolean {
    const name = this.#keys.parseMember(key)
    const member = name && decodeMember(name.nodeId, name.incarnation, value)
    if (member === undefined) {
      this.#logger.warn('a member key is not as this version writes it, and is ignored', { key })
      return false
    }
    const before = this.#members.get(key)
    this.#members.set(key, member)
    this.#kept.delete(key)
    this.#listener.onRegistered(member, modRevision)
    return before === undefined || withoutLoad(before) !== withoutLoad(member)
  }
}

/** Equal for equal members: their fields are in the order in which `decodeMember` reads them. */
function withoutLoad(member: Member): string {
  return JSON.stringify({ ...member, load: undefined })
}
