/**
 * Positions around the tails of a moved session: what was queued when it left an owner, what reached that owner since, a gap, what
 * comes directly to the next one; so on for each owner that something follows from.
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

/** What is to wait for the first owner that is waited for. */
export function heldFrom(tails: Tails): number {
  const awaited = tails.find(({ isPassed }) => isPassed !== true)
  return awaited === undefined ? Infinity : behind(awaited)
}

/** How far the rest of a queue has come that is waited for; undefined: there is none. */
export function restAtOf(tails: Tails): number | undefined {
  return tails.find(({ position, restTo = 0, isPassed }) => position < restTo && isPassed !== true)?.position
}

/** Where what reached that owner after the session had left it begins. */
function tailFrom({ position, restTo = position }: TailMark): number {
  return restTo
}
