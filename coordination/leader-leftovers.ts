/**
 * Wills of a dead life whose sessions it no longer has: another node took the client before the leader came to its will.
 *
 * A claim by which a session goes on removes the will itself. Where the session was given up with its owner the claim leaves
 * the will, and what becomes of it is decided here: it is published if it was due before the client came back, or the client
 * asked for a clean start, which ended the session [MQTT-3.1.2-8]; otherwise the client was back in time [MQTT-3.1.3-9].
 */
import type { ClientId } from '../src/core/ids.ts'
import type { CoordinationEntry, CoordinationStore } from '../src/core/ports/coordination-store.ts'
import type { CoordinationKeys } from './keys.ts'
import type { DeathNote } from './leader-deaths.ts'
import type { LeaderTerm } from './leader-term.ts'
import { VERDICTS_MAX, type LeaderWills, type Verdict } from './leader-wills.ts'
import { decodeOwnership } from './session-record.ts'
import { isAbsent, isAtRevision, resultOf } from './store-calls.ts'
import { decodeWill } from './will-record.ts'

interface LeftoversContext {
  readonly store: CoordinationStore
  readonly keys: CoordinationKeys
  readonly wills: LeaderWills
}

/** After a page: at most 600 wills looked at a second. */
const PAUSE_MS = 100

export class LeaderLeftovers {
  readonly #context: LeftoversContext

  constructor(context: LeftoversContext) {
    this.#context = context
  }

  /** Deals with them all; answers how many wills of the life are left, to be dealt with by the sweep. Throws as `LeaderTerm.write`. */
  async run(term: LeaderTerm, note: DeathNote): Promise<number> {
    const { store, keys, wills } = this.#context
    const { entries } = await term.read(store.range(keys.willsOf(note.nodeId, note.incarnation)))
    let left = entries.length
    for (let at = 0; at < entries.length; at += VERDICTS_MAX) {
      const page = entries.slice(at, at + VERDICTS_MAX)
      const records = await this.#readRecords(term, note, page)
      const verdicts = page.flatMap((will, index) => this.#judge(note, will, records[index]) ?? [])
      if (verdicts.length > 0) left -= await wills.carryOut(term, verdicts)
      await term.pause(PAUSE_MS)
    }
    return left
  }

  /** Of that life. */
  async clientsWithWills(term: LeaderTerm, note: DeathNote): Promise<readonly ClientId[]> {
    const { store, keys } = this.#context
    const { entries } = await term.read(store.range(keys.willsOf(note.nodeId, note.incarnation)))
    return entries.map(({ key }) => this.#clientOf(note, key))
  }

  async #readRecords(
    term: LeaderTerm,
    note: DeathNote,
    page: readonly CoordinationEntry[],
  ): Promise<(CoordinationEntry | undefined)[]> {
    const { store, keys } = this.#context
    const success = page.map(({ key }) => ({
      type: 'get' as const,
      key: keys.session(this.#clientOf(note, key)),
    }))
    const outcome = await term.read(store.transact({ compare: [], success, failure: [] }))
    return resultOf(outcome).results.map(answer => (answer.type === 'get' ? answer.entry : undefined))
  }

  #clientOf({ nodeId, incarnation }: DeathNote, key: string): ClientId {
    return key.slice(this.#context.keys.willsOf(nodeId, incarnation).length)
  }

  #judge(
    note: DeathNote,
    will: CoordinationEntry,
    entry: CoordinationEntry | undefined,
  ): Verdict | undefined {
    const { nodeId, incarnation } = note
    const record = entry && decodeOwnership(entry)
    if (record?.node === nodeId && record.incarnation === incarnation) return undefined
    const compare = [
      isAtRevision(will.key, will.modRevision),
      isAbsent(this.#context.keys.member(nodeId, incarnation)),
    ]
    const kept = decodeWill(will.value)
    const delayMs = (kept?.will?.delaySeconds ?? 0) * 1000
    const dueAtMs = kept?.dueAtMs ?? note.atMs + delayMs
    const isInTime = record !== undefined && record.how !== 'clean' && delayMs > 0 && record.sinceMs < dueAtMs
    if (!isInTime) return { compare, operations: [], will }
    return { compare, operations: [{ type: 'delete', key: will.key }], will: undefined }
  }
}
