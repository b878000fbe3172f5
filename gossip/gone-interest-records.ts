/**
 * The last interests of nodes that are gone, in this node's own store: for each the frames of a whole repair (WIRE.md), one value each.
 *
 * Looks into no frame. Invariant: all frames of an interest are written in one batch, or none.
 */
import { errorMessage } from '../src/core/errors.ts'
import type { NodeId } from '../src/core/ids.ts'
import { limits } from '../src/core/limits.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { Store, StoreOperation } from '../src/core/ports/store.ts'

const PREFIX = 'gone-interest/'
/** A node id has no `/`. */
const KEY = /^gone-interest\/([^/]+)\/([0-9]{6})$/

export type GoneInterestStore = Pick<Store, 'append' | 'range'>

export class GoneInterestRecords {
  readonly #store: GoneInterestStore | undefined
  readonly #logger: Logger
  /** How many frames of each node are on disk. */
  readonly #counts = new Map<NodeId, number>()
  /** Read, and not yet taken. */
  readonly #loaded = new Map<NodeId, Uint8Array[]>()

  constructor(store: GoneInterestStore | undefined, logger: Logger) {
    this.#store = store
    this.#logger = logger
  }

  /** Nodes with an interest on disk. */
  get nodes(): readonly NodeId[] {
    return [...this.#counts.keys()]
  }

  async load(): Promise<void> {
    if (this.#store === undefined) return
    for await (const [key, frame] of this.#store.range(PREFIX)) {
      const [, nodeId] = KEY.exec(key) ?? []
      if (nodeId === undefined) continue
      const frames = this.#loaded.get(nodeId) ?? []
      frames.push(frame)
      this.#loaded.set(nodeId, frames)
      this.#counts.set(nodeId, frames.length)
    }
  }

  /** What was read of a node, once. */
  take(nodeId: NodeId): readonly Uint8Array[] | undefined {
    const frames = this.#loaded.get(nodeId)
    this.#loaded.delete(nodeId)
    return frames
  }

  /** In place of what is there. One that is too large is not kept. */
  write(nodeId: NodeId, frames: Iterable<Uint8Array>): void {
    if (this.#store === undefined) return
    const operations: StoreOperation[] = []
    let bytes = 0
    for (const value of frames) {
      bytes += value.length
      operations.push({ type: 'put', key: keyOf(nodeId, operations.length), value })
      if (bytes <= limits.goneInterestBytesMax) continue
      this.#logger.warn('the interest of a node that is gone is too large to be kept on disk', { nodeId })
      return this.delete(nodeId)
    }
    const count = operations.length
    for (let index = count; index < (this.#counts.get(nodeId) ?? 0); index++)
      operations.push({ type: 'del', key: keyOf(nodeId, index) })
    this.#loaded.delete(nodeId)
    this.#counts.set(nodeId, count)
    this.#append(operations)
  }

  delete(nodeId: NodeId): void {
    const count = this.#counts.get(nodeId) ?? 0
    if (count === 0) return
    this.#counts.delete(nodeId)
    this.#loaded.delete(nodeId)
    this.#append(Array.from({ length: count }, (_, index) => ({ type: 'del', key: keyOf(nodeId, index) })))
  }

  #append(operations: StoreOperation[]): void {
    try {
      this.#store?.append(operations)
    } catch (error) {
      // A store that failed stops the node from acknowledging by itself.
      this.#logger.debug('the interest of a node that is gone was not kept', { reason: errorMessage(error) })
    }
  }
}

function keyOf(nodeId: NodeId, index: number): string {
  return `${PREFIX}${nodeId}/${String(index).padStart(6, '0')}`
}
