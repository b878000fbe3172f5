/**
 * Figures that remember where they come from. Whatever is computed from several is as good as the weakest of them, and names what
 * all of them rest on.
 */
import type { Constant } from '../constants/constants.ts'

/** Taken on a real machine · counted by production code, in virtual time or at its real sizes · believed, for the reason given. */
export type Origin = 'measured' | 'simulated' | 'assumed'

const WEAKEST_FIRST: readonly Origin[] = ['assumed', 'simulated', 'measured']

export interface Figure {
  readonly value: number
  readonly origin: Origin
  /** What it rests on, at least one sentence; of an assumed one, every assumption. */
  readonly reasons: readonly string[]
}

export function assumed(value: number, reason: string): Figure {
  return { value, origin: 'assumed', reasons: [reason] }
}

export function simulated(value: number, reason: string): Figure {
  return { value, origin: 'simulated', reasons: [reason] }
}

/** A cost of an operation, as calibrated or as assumed. `what`: in words. */
export function constant({ value, origin, how }: Constant, what: string): Figure {
  return { value, origin, reasons: [`${what}: ${how}`] }
}

/** Of `figures`; `how` says what is computed. */
export function computed(
  how: string,
  figures: readonly Figure[],
  value: (...values: number[]) => number,
): Figure {
  const origin =
    WEAKEST_FIRST.find(candidate => figures.some(figure => figure.origin === candidate)) ?? 'simulated'
  const theirs = figures.filter(figure => figure.origin === origin).flatMap(({ reasons }) => reasons)
  return {
    value: value(...figures.map(figure => figure.value)),
    origin,
    reasons: [...new Set([how, ...theirs])],
  }
}
