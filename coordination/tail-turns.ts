/**
 * Which long tails are on their way, so that those of many sessions do not pile up in front of what clients wait for.
 *
 * Their frames share the other node's link, event loop and disk with the takeovers of the moment: a few at once keep it busy,
 * more only make everybody else wait. Tails go in the order in which they asked, each to its end: so the one that began first
 * is whole first, should its session move on. A turn is a courtesy and decides nothing: whoever has waited for too long goes
 * without one. Invariant: a taker has at most one turn at a node, and keeps it until it gives it back.
 */
import type { NodeId } from '../src/core/ids.ts'

/** What has more to send than one frame. */
export interface TurnTaker {
  /** It has a turn from now on. */
  onTurn(): void
}

interface Line {
  readonly going: Set<TurnTaker>
  readonly waiting: Set<TurnTaker>
}

/** At one node, each with a frame under way: while one is sent another is read, and a third committed. */
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

  /** It neither goes on nor waits for its turn. The next one goes. */
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
