/**
 * Every node this cluster has had, live or not, and which of them nothing need be kept for (PROTOCOLS section 6).
 *
 * A node is known by its incarnation key, which stays when the node dies. The key says so when the node is retired: it left
 * holding nothing, or an operator gave it up (`grapevine nodes forget`). Its next life, or the same one registering again,
 * writes the key without that. Invariant: a node is retired only as long as its key says so; a key that is missing, as in a
 * store that was emptied, says nothing.
 */
import type { Incarnation, NodeId } from '../src/core/ids.ts'
import type {
  CoordinationEntry,
  CoordinationStore,
  CoordinationWatch,
} from '../src/core/ports/coordination-store.ts'
import type { Random } from '../src/core/ports/random.ts'
import { decodeIncarnation, encodeIncarnation } from './incarnation-record.ts'
import type { CoordinationKeys } from './keys.ts'
import { isAtRevision, newNonce, resultOf } from './store-calls.ts'

interface KnownNodesContext {
  readonly store: CoordinationStore
  readonly random: Random
  readonly keys: CoordinationKeys
  /** Of the store as it is. */
  readonly epoch: () => number
}

export class KnownNodes {
  readonly #context: KnownNodesContext
  readonly #onChanged: () => void
  #known = new Set<NodeId>()
  #retired = new Set<NodeId>()
  readonly #incarnations = new Map<NodeId, Incarnation>()
  #watch: CoordinationWatch | undefined

  /** `onChanged`: `retired` changed, or `known` was read anew. */
  constructor(context: KnownNodesContext, onChanged: () => void) {
    this.#context = context
    this.#onChanged = onChanged
  }

  /**
   * Nodes, live or dead, that are not retired, as they were when the list was read last: at the start, and whenever changes may
   * have been missed. Who comes later is a member before anything depends on it.
   */
  get known(): ReadonlySet<NodeId> {
    return this.#known
  }

  get retired(): ReadonlySet<NodeId> {
    return this.#retired
  }

  /** Of the last life of a node, live or dead, by its key; undefined when there is none or it cannot be read. */
  incarnationOf(nodeId: NodeId): Incarnation | undefined {
    return this.#incarnations.get(nodeId)
  }

  /** Resolves when they are known. */
  start(): Promise<void> {
    const { store, keys } = this.#context
    return new Promise(resolve => {
      this.#watch = store.watch(keys.incarnations, {
        onReset: entries => {
          const retired = new Set<NodeId>()
          const known = new Set<NodeId>()
          this.#incarnations.clear()
          for (const entry of entries) {
            const nodeId = keys.parseIncarnation(entry.key)
            if (nodeId === undefined) continue
            ;(isRetired(entry) ? retired : known).add(nodeId)
            this.#learn(nodeId, entry)
          }
          this.#known = known
          this.#retired = retired
          resolve()
          this.#onChanged()
        },
        onEvents: events => {
          for (const event of events) {
            if (event.type === 'put') this.#put(event.entry)
          }
          this.#onChanged()
        },
      })
    })
  }

  /**
   * Retires a node for the whole cluster, later members included. `member`: it is registered, or registers just now, and
   * nothing was done. Rejects with COORDINATION_UNAVAILABLE; then it may have been done, and may be repeated.
   */
  async retire(nodeId: NodeId): Promise<'retired' | 'member'> {
    const { store, keys, random } = this.#context
    const key = keys.incarnation(nodeId)
    const { entry } = await store.get(key)
    if ((await store.range(keys.membersOf(nodeId))).entries.length > 0) return 'member'
    const before = entry && decodeIncarnation(entry, 1)
    // The incarnation stays, so that the same life may register again, should it be out of the store's reach.
    const { incarnation = 0, dataDirId, sameDirSince } = before ?? {}
    const value = encodeIncarnation({
      nonce: newNonce(random),
      incarnation,
      dataDirId,
      sameDirSince,
      isRetired: true,
    })
    const { succeeded } = resultOf(
      await store.transact({
        compare: [isAtRevision(key, entry?.modRevision ?? 0)],
        success: [{ type: 'put', key, value }],
        failure: [],
      }),
    )
    return succeeded ? 'retired' : 'member'
  }

  close(): void {
    this.#watch?.close()
  }

  #learn(nodeId: NodeId, entry: CoordinationEntry): void {
    const record = decodeIncarnation(entry, this.#context.epoch())
    if (record === undefined) this.#incarnations.delete(nodeId)
    else this.#incarnations.set(nodeId, record.incarnation)
  }

  #put(entry: CoordinationEntry): void {
    const nodeId = this.#context.keys.parseIncarnation(entry.key)
    if (nodeId === undefined) return
    this.#learn(nodeId, entry)
    if (isRetired(entry)) {
      this.#known.delete(nodeId)
      this.#retired.add(nodeId)
    } else this.#retired.delete(nodeId)
  }
}

/** What cannot be read is of another version, whose nodes may hold something. */
function isRetired(entry: CoordinationEntry): boolean {
  return decodeIncarnation(entry, 1)?.isRetired === true
}
