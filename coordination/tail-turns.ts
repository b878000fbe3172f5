/**
 * Which long tails have a frame under way, so that those of many sessions do not pile up in front of what clients wait for.
 *
 * Frames to one node share its link, its event loop and its disk with the takeovers of the moment: a few at once keep it busy,
 * more only make everybody else wait. Tails go in the order in which they asked. A turn is a courtesy and decides nothing:
 * whoever has waited for too long goes without one. Invariant: a taker has at most one turn, and gives it back or is forgotten.
 */
import type { NodeId } from '../src/core/ids.ts'

/** What wants to send a frame. */
export interface TurnTaker {
  /** It has a turn from now on. */
  onTurn(): void
}

interface Line {
  readonly going: Set<TurnTaker>
  readonly waiting: Set<TurnTaker>
}

/** Frames of long tails under way to one node: while one is on its way another is read, and a third committed. */
const UNDER_WAY_MAX = 3

export class TailTurns {
  readonly #lines = new Map<NodeId, Line>()

  /** True when the taker may send; else `onTurn` tells it when. */
  take(to: NodeId, taker: TurnTaker): boolean {
    const line = this.#lines.get(to) ?? { going: new Set(), waiting: new Set() }
    this.#lines.set(to, line)
    if (line.going.has(taker)) return true
    if (line.going.size >= UNDER_WAY_MAX) {
      line.waiting.add(taker)
      return false
    }
    line.going.add(taker)
    return true
  }

  /** It has no frame under way to that node any more, nor waits for its turn. The next one goes. */
  giveBack(to: NodeId, taker: TurnTaker): void {
    const line = this.#lines.get(to)
    if (line === undefined) return
    line.waiting.delete(taker)
    if (!line.going.delete(taker)) return
    const [next] = line.waiting
    if (next !== undefined) {
      line.waiting.delete(next)
      line.going.add(next)
      next.onTurn()
    } else if (line.going.size === 0) this.#lines.delete(to)
  }
}
