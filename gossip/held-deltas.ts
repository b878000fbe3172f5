import { limits } from '../src/core/limits.ts'
import type { InterestDelta } from './delta-codec.ts'

/** Deltas of one origin that cannot be applied yet, by sequence; bounded in number and bytes. */
export class HeldDeltas {
  #deltas: InterestDelta[] = []
  #byteCount = 0

  get isEmpty(): boolean {
    return this.#deltas.length === 0
  }

  get first(): InterestDelta | undefined {
    return this.#deltas[0]
  }

  /** Keeps a copy. False, and everything held is dropped, when it would be too much. */
  put(delta: InterestDelta): boolean {
    const byteCount = sizeOf(delta)
    const isTooMuch = this.#byteCount + byteCount > limits.gossipBufferedBytesMax
    if (isTooMuch || this.#deltas.length >= limits.gossipBufferedDeltasMax) {
      this.#deltas = []
      this.#byteCount = 0
      return false
    }
    this.#byteCount += byteCount
    let at = this.#deltas.length
    while (at > 0 && (this.#deltas[at - 1] as InterestDelta).firstSequence > delta.firstSequence) at--
    this.#deltas.splice(at, 0, { ...delta, exact: delta.exact.slice() })
    return true
  }

  dropFirst(): void {
    const delta = this.#deltas.shift()
    if (delta !== undefined) this.#byteCount -= sizeOf(delta)
  }
}

/** About what it takes in memory. */
function sizeOf({ exact, patterns }: InterestDelta): number {
  let bytes = exact.length + 128
  for (const { group, filter } of patterns) bytes += 64 + group.length + filter.length
  return bytes
}
