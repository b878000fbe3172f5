/**
 * The key that says whose promises this life relies on (`relies/<node>/<incarnation>`, a JSON list of lives).
 *
 * It is what makes promises hold against nodes this one has never heard of: who wants to take something from an absent life
 * must first bring one of its witnesses to promise it nothing more. Invariant: `relied` names everybody any value of the key
 * may name that others can read; until a write is known to be carried out, that is the old list and the new.
 *
 * The key goes with a life that leaves, by the next life on the same disk, or by the leader once another life of the node is
 * registered. What stays is one key, of some 30 B per member, for each node id that died and never came back.
 */
import { isNodeId, type NodeId } from '../src/core/ids.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { CoordinationStore } from '../src/core/ports/coordination-store.ts'
import type { Random } from '../src/core/ports/random.ts'
import { Backoff } from './backoff.ts'
import type { CoordinationKeys, LifeName } from './keys.ts'
import { lifeKey } from './promise-keeper.ts'
import { isPresent } from './store-calls.ts'

interface RelianceContext {
  readonly store: CoordinationStore
  readonly clock: Clock
  readonly random: Random
  readonly keys: CoordinationKeys
  readonly nodeId: NodeId
}

const CLEARED_AT_ONCE = 100

export class Reliance {
  readonly #context: RelianceContext
  readonly #onChanged: (relied: readonly LifeName[]) => void
  #self: LifeName | undefined
  #written: readonly LifeName[] = []
  #wanted: readonly LifeName[] = []
  #isWriting = false
  #isStopped = false

  constructor(context: RelianceContext, onChanged: (relied: readonly LifeName[]) => void) {
    this.#context = context
    this.#onChanged = onChanged
  }

  /** Earlier lives that cannot run any more rely on nobody; their keys go. */
  start(self: LifeName, isProvenDead: (earlier: LifeName) => boolean): void {
    this.#self = self
    void this.#clear(self.nodeId, isProvenDead)
    this.want(this.#wanted)
  }

  /** The other members as they are registered now; written in the background. */
  want(lives: readonly LifeName[]): void {
    this.#wanted = lives.map(({ nodeId, incarnation }) => ({ nodeId, incarnation }))
    if (this.#self !== undefined && !this.#isWriting) void this.#write(this.#self)
  }

  /** The key is gone with the store it was in; nobody is relied on until it is written again. */
  reset(): void {
    this.#written = []
    this.#onChanged([])
    this.want(this.#wanted)
  }

  stop(): void {
    this.#isStopped = true
  }

  /** This life has left and acts no more, so nobody need be asked about it. Never rejects. */
  async withdraw(): Promise<void> {
    const { store, keys } = this.#context
    if (this.#self === undefined) return
    const key = keys.relies(this.#self.nodeId, this.#self.incarnation)
    await store.transact({ compare: [], success: [{ type: 'delete', key }], failure: [] })
  }

  /** Never rejects: what stays is deleted by the next life. */
  async #clear(nodeId: NodeId, isProvenDead: (earlier: LifeName) => boolean): Promise<void> {
    const { store, keys } = this.#context
    const prefix = keys.reliesOf(nodeId)
    const found = await store.range(prefix).catch(() => ({ entries: [] }))
    const ended = found.entries
      .filter(({ key }) => isProvenDead({ nodeId, incarnation: Number(key.slice(prefix.length)) }))
      .slice(0, CLEARED_AT_ONCE)
    const success = ended.map(({ key }) => ({ type: 'delete' as const, key }))
    if (success.length > 0) await store.transact({ compare: [], success, failure: [] })
  }

  /** Never rejects. */
  async #write(self: LifeName): Promise<void> {
    const { store, clock, random, keys } = this.#context
    this.#isWriting = true
    const backoff = new Backoff(clock, random, 100, 3000)
    while (!this.#isStopped && !areSame(this.#written, this.#wanted)) {
      const written = this.#written
      const wanted = this.#wanted
      // A witness more can only make this node suspend itself earlier.
      if (written.length > 0) this.#onChanged(union(written, wanted))
      const key = keys.relies(self.nodeId, self.incarnation)
      const outcome = await store.transact({
        compare: [isPresent(keys.member(self.nodeId, self.incarnation))],
        success: [{ type: 'put', key, value: encodeLives(wanted) }],
        failure: [],
      })
      const isDone = outcome.outcome === 'done' && outcome.result.succeeded
      if (isDone && this.#written === written) {
        this.#written = wanted
        this.#onChanged(wanted)
      } else {
        await backoff.pause()
      }
    }
    this.#isWriting = false
  }
}

export function encodeLives(lives: readonly LifeName[]): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(lives.map(lifeKey)))
}

/** Undefined when the value is no such list. */
export function decodeLives(value: Uint8Array): readonly LifeName[] | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(new TextDecoder().decode(value))
  } catch {
    return undefined
  }
  if (!Array.isArray(parsed)) return undefined
  const lives = parsed.map(item => {
    const [nodeId = '', incarnation = ''] = typeof item === 'string' ? item.split('/') : []
    return { nodeId, incarnation: Number(incarnation) }
  })
  const areWell = lives.every(life => isNodeId(life.nodeId) && Number.isSafeInteger(life.incarnation))
  return areWell ? lives : undefined
}

function union(some: readonly LifeName[], others: readonly LifeName[]): readonly LifeName[] {
  return [...new Map([...some, ...others].map(life => [lifeKey(life), life])).values()]
}

function areSame(some: readonly LifeName[], others: readonly LifeName[]): boolean {
  const keys = new Set(some.map(lifeKey))
  return some.length === others.length && others.every(life => keys.has(lifeKey(life)))
}
