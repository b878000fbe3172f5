import type { CoordinationStore } from '../src/core/ports/coordination-store.ts'
import type { Random } from '../src/core/ports/random.ts'
import { isAbsent, resultOf } from './store-calls.ts'

/**
 * The epoch of the store, made by whichever node comes first: a positive 31-bit number. Tokens carry it, so that those
 * of a store since emptied are never taken for those of the new one. Throws COORDINATION_UNAVAILABLE.
 */
export async function readOrCreateEpoch(
  { store, random }: { store: CoordinationStore; random: Random },
  key: string,
): Promise<number> {
  const fresh = (random.uint32() >>> 1) + 1
  const { succeeded, results } = resultOf(
    await store.transact({
      compare: [isAbsent(key)],
      success: [{ type: 'put', key, value: new TextEncoder().encode(String(fresh)) }],
      failure: [{ type: 'get', key }],
    }),
  )
  if (succeeded) return fresh
  const [found] = results
  const epoch =
    found?.type === 'get' && found.entry ? Number(new TextDecoder().decode(found.entry.value)) : NaN
  if (!Number.isSafeInteger(epoch) || epoch < 1) throw new Error(`the value of ${key} is not an epoch`)
  return epoch
}
