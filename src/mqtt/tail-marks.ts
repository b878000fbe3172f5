/**
 * Positions around the tails of a moved session: what was queued when it left an owner, what reached that owner since, a gap, what
 * comes directly to the next one; so on for each owner that something follows from. Then, when a node is back that may owe such an
 * owner something, another gap for that, and what came from that node first, with all that came later.
 *
 * Pure. Invariant: of one owner everything is in front of what came directly to the next.
 */
import { compareTokens } from '../core/ids.ts'
import type { StagedOrigin, TailMark } from '../core/ports/session-journal.ts'

type Tails = readonly TailMark[]

/** Positions left free for a tail: more than can arrive while routes change. */
const GAP = 2 ** 26

export function markOf(tails: Tails, { nodeId, token }: StagedOrigin): TailMark | undefined {
  return tails.find(mark => mark.from === nodeId && compareTokens(mark.token, token) === 0)
}

/** Where what comes directly has its place. */
export function directFrom(mark: TailMark): number {
  return tailFrom(mark) + GAP
}

/** No message of that tail is here or behind; less than the whole gap, since an earlier version's mark moves on with its tail. */
export function behind(mark: TailMark): number {
  return tailFrom(mark) + GAP / 2
}

/** What is to wait for the first owner that is waited for, or for what nodes that are back may still owe one. */
export function heldFrom(tails: Tails): number {
  const awaited = tails.find(({ isPassed }) => isPassed !== true)
  return Math.min(awaited === undefined ? Infinity : behind(awaited), endOfGap(heldAt(tails)))
}

/** Where the first gap begins in which what such nodes owe has its place; Infinity without one. */
export function heldAt(tails: Tails): number {
  return Math.min(...tails.map(mark => mark.heldAt ?? Infinity))
}

/** Where a gap ends that begins there. */
export function endOfGap(position: number): number {
  return position + GAP
}

/** The mark when what came directly has ceased to wait for that owner, and for those who may owe it something. */
export function givenUp({ owing: _owing, heldAt: _heldAt, ...mark }: TailMark): TailMark {
  return { ...mark, isPassed: true }
}

/** How far the rest of a queue has come that is waited for; undefined: there is none. */
export function restAtOf(tails: Tails): number | undefined {
  return tails.find(({ position, restTo = 0, isPassed }) => position < restTo && isPassed !== true)?.position
}

/** Where what reached that owner after the session had left it begins. */
function tailFrom({ position, restTo = position }: TailMark): number {
  return restTo
}
