/**
 * What may be done with a session whose owner is dead and whose client wants its state (PROTOCOLS sections 2.5 and 6).
 *
 * It knows when each incarnation was seen to vanish, and what `sessions.onOwnerLost` says; whether the owner really is dead
 * the claim's own comparisons decide. The grace of one lease TTL protects state on a disk that may come back, nothing else:
 * who wants no state is not made to wait.
 */
import type { Incarnation, NodeId } from '../src/core/ids.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { LifeName } from './keys.ts'
import { parseRecord } from './member-record.ts'
import type { StoredOwnership } from './session-record.ts'

/** `wait`: refuse until the owner is back. `fresh`: give the state up after the grace. */
export type OwnerLostPolicy = 'wait' | 'fresh'

/** What the leader, or the node itself when it left, has noted about a dead incarnation. */
export interface DeathNote {
  /** Wall clock ms. */
  readonly atMs: number
  /** It left with nothing on its disk. */
  readonly drained: boolean
}

const EXPIRES_NEVER = 0xffff_ffff
/** Dead incarnations whose time is remembered; a forgotten one has its grace anew. */
const NOTICED_MAX = 1024

export class ClaimPolicy {
  readonly #clock: Clock
  readonly #onOwnerLost: OwnerLostPolicy
  readonly #graceMs: number
  #live = new Map<string, LifeName>()
  /** When each was found missing, by `Clock.now`. */
  readonly #noticed = new Map<string, number>()

  constructor(clock: Clock, onOwnerLost: OwnerLostPolicy, graceMs: number) {
    this.#clock = clock
    this.#onOwnerLost = onOwnerLost
    this.#graceMs = graceMs
  }

  onMembersChanged(members: readonly LifeName[]): void {
    const live = new Map(members.map(member => [lifeKey(member.nodeId, member.incarnation), member]))
    for (const key of this.#live.keys()) if (!live.has(key)) this.#notice(key, this.#clock.now())
    for (const key of live.keys()) this.#noticed.delete(key)
    this.#live = live
  }

  /**
   * `nothing-held`: there is no state anybody could want. `give-up`: the state may be given up, and is lost. `refuse`: neither,
   * at this time.
   */
  judge(owner: StoredOwnership, note: DeathNote | undefined): 'nothing-held' | 'give-up' | 'refuse' {
    if (note?.drained === true) return 'nothing-held'
    const deadForMs = this.#deadForMs(lifeKey(owner.node, owner.incarnation), note)
    // The grace allows for clocks that differ.
    const isOver = owner.expiry !== EXPIRES_NEVER && deadForMs > owner.expiry * 1000 + this.#graceMs
    if (isOver) return 'nothing-held'
    return this.#onOwnerLost === 'fresh' && deadForMs >= this.#graceMs ? 'give-up' : 'refuse'
  }

  /** As seen here; where the death was not, as noted. What is noted may be an earlier death, which it survived. */
  #deadForMs(key: string, note: DeathNote | undefined): number {
    const nowMs = this.#clock.now()
    const notedForMs = note === undefined ? 0 : Math.max(0, this.#clock.wallNow() - note.atMs)
    if (!this.#noticed.has(key)) this.#notice(key, nowMs - notedForMs)
    return nowMs - (this.#noticed.get(key) ?? nowMs)
  }

  #notice(key: string, atMs: number): void {
    this.#noticed.set(key, atMs)
    const [oldest] = this.#noticed.keys()
    if (this.#noticed.size > NOTICED_MAX && oldest !== undefined) this.#noticed.delete(oldest)
  }
}

/** Undefined when the value is no note of death. */
export function decodeDeathNote(value: Uint8Array): DeathNote | undefined {
  const { atMs, drained } = parseRecord(value) ?? {}
  return typeof atMs === 'number' && typeof drained === 'boolean' ? { atMs, drained } : undefined
}

function lifeKey(nodeId: NodeId, incarnation: Incarnation): string {
  return `${nodeId}/${incarnation}`
}
