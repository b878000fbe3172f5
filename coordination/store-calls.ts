import { errorMessage, GrapevineError } from '../src/core/errors.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type {
  CoordinationCompare,
  CoordinationOutcome,
  CoordinationTransactionResult,
} from '../src/core/ports/coordination-store.ts'
import type { Random } from '../src/core/ports/random.ts'
import { Backoff } from './backoff.ts'

/** Repeats a call that fails because the store does not answer, for at most `withinMs`; then rejects with its error. */
export async function persistently<T>(
  { clock, random }: { clock: Clock; random: Random },
  withinMs: number,
  call: () => Promise<T>,
): Promise<T> {
  const endMs = clock.now() + withinMs
  const backoff = new Backoff(clock, random, 100, 1000)
  for (;;) {
    try {
      return await call()
    } catch (error) {
      const isTransient = error instanceof GrapevineError && error.code === 'COORDINATION_UNAVAILABLE'
      if (!isTransient || clock.now() >= endMs) throw error
      await backoff.pause()
    }
  }
}

/** The result of a transaction that may simply be repeated. Throws COORDINATION_UNAVAILABLE when there is none. */
export function resultOf(outcome: CoordinationOutcome): CoordinationTransactionResult {
  if (outcome.outcome === 'done') return outcome.result
  throw new GrapevineError(
    'COORDINATION_UNAVAILABLE',
    `the coordination store did not carry out a request: ${errorMessage(outcome.reason)}`,
  )
}

export function isAbsent(key: string): CoordinationCompare {
  return { key, target: 'createRevision', is: 'equal', revision: 0 }
}

export function isPresent(key: string): CoordinationCompare {
  return { key, target: 'createRevision', is: 'greater', revision: 0 }
}

/** 0: the key is absent. */
export function isAtRevision(key: string, modRevision: number): CoordinationCompare {
  return { key, target: 'modRevision', is: 'equal', revision: modRevision }
}

/** 96 random bits as hex. */
export function newNonce(random: Random): string {
  const { buffer, byteOffset, byteLength } = random.bytes(12)
  return Buffer.from(buffer, byteOffset, byteLength).toString('hex')
}
