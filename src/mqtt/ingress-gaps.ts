/**
 * What a session that has moved may lack although its node has it: the node had received it before the session came, and the
 * earlier owner had not when the session left.
 *
 * Most of it follows with the tail, which says when that is all (`shrink`). What remains is of nodes that died before the
 * earlier owner got it, and comes when its publisher repeats it. Invariant: it never names what the session is known to have
 * had; beyond `limits.gapsMax` gaps those of the oldest incarnations are forgotten.
 */
import type { NodeId } from '../core/ids.ts'
import { limits } from '../core/limits.ts'
import type { IngressGap } from '../core/ports/session-journal.ts'
import type { MessageId } from '../core/publication.ts'

export class IngressGaps {
  #gaps: readonly IngressGap[]

  constructor(gaps: readonly IngressGap[] = []) {
    this.#gaps = gaps
  }

  get isEmpty(): boolean {
    return this.#gaps.length === 0
  }

  /** The session comes from `from`, having had what is up to `had`, to a node that has had what is up to `received`. */
  open(from: NodeId, had: readonly MessageId[], received: readonly MessageId[]): void {
    const floors = new Map(had.map(({ incarnation, number }) => [incarnation, number]))
    const opened = received.map(({ incarnation, number }) => {
      return { from, incarnation, above: floors.get(incarnation) ?? 0, upTo: number }
    })
    this.#keep([...this.#gaps, ...opened])
  }

  /** The owner it came from then has received what is up to `floors`, and all that was for the session has followed. */
  shrink(from: NodeId, floors: readonly MessageId[]): void {
    const numbers = new Map(floors.map(({ incarnation, number }) => [incarnation, number]))
    this.#keep(
      this.#gaps.map(gap =>
        gap.from === from ? { ...gap, above: Math.max(gap.above, numbers.get(gap.incarnation) ?? 0) } : gap,
      ),
    )
  }

  /** The session may lack it. */
  has({ incarnation, number }: MessageId): boolean {
    return this.#gaps.some(gap => gap.incarnation === incarnation && gap.above < number && number <= gap.upTo)
  }

  /** The session has it now. */
  fill(id: MessageId): void {
    const { incarnation, number } = id
    this.#keep(
      this.#gaps.flatMap(gap =>
        gap.incarnation === incarnation && gap.above < number && number <= gap.upTo
          ? [
              { ...gap, upTo: number - 1 },
              { ...gap, above: number },
            ]
          : [gap],
      ),
    )
  }

  list(): readonly IngressGap[] {
    return this.#gaps
  }

  #keep(gaps: readonly IngressGap[]): void {
    const open = gaps.filter(({ above, upTo }) => above < upTo)
    if (open.length > limits.gapsMax) open.sort((a, b) => a.incarnation - b.incarnation)
    this.#gaps = open.slice(-limits.gapsMax)
  }
}
