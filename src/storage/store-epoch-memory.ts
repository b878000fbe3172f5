import { errorMessage } from '../core/errors.ts'
import type { EpochMark, EpochMemory } from '../core/ports/epoch-memory.ts'
import type { Logger } from '../core/ports/logger.ts'
import type { Store } from '../core/ports/store.ts'
import { allocate, bodyEnd, corrupt, seal, unseal } from './record-seal.ts'

const KEY = 'coordination/epoch'
const BODY_FROM = 2
/** Earlier versions wrote the JSON without a seal, so with this in the place of the record's version. */
const UNSEALED = '{'.charCodeAt(0)

/** What a node remembers of the coordination store, as JSON in one sealed record of its local store. */
export class StoreEpochMemory implements EpochMemory {
  readonly #store: Store
  readonly #logger: Logger

  constructor(store: Store, logger: Logger) {
    this.#store = store
    this.#logger = logger
  }

  /** Throws `GrapevineError` STORE_CORRUPT when the value is not as it was written. */
  async load(): Promise<EpochMark | undefined> {
    const value = await this.#store.get(KEY)
    if (value === undefined) return undefined
    const mark = parse(value[0] === UNSEALED ? value : bodyOf(value))
    const { epoch, revision, claimedEpoch, owners } = mark
    const isMark = [epoch, revision, claimedEpoch ?? 0].every(Number.isSafeInteger)
    if (!isMark || epoch === undefined || revision === undefined || !isOwnerClaims(owners ?? [])) {
      throw corrupt(KEY, 'it is no mark of the coordination store')
    }
    return {
      ...{ epoch, revision },
      ...(claimedEpoch === undefined ? {} : { claimedEpoch }),
      ...(owners === undefined ? {} : { owners }),
    }
  }

  save(mark: EpochMark): void {
    const body = new TextEncoder().encode(JSON.stringify(mark))
    const bytes = allocate('coordination mark', body.length)
    bytes.set(body, BODY_FROM)
    try {
      this.#store.append([{ type: 'put', key: KEY, value: seal(KEY, bytes) }])
    } catch (error) {
      // A store that failed stops the node from acknowledging by itself; an older mark only notices less.
      this.#logger.debug('the mark of the coordination store was not kept', { reason: errorMessage(error) })
    }
  }
}

function isOwnerClaims(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.every(
      (item: unknown) =>
        Array.isArray(item) &&
        typeof item[0] === 'string' &&
        Number.isSafeInteger(item[1]) &&
        item.length === 2,
    )
  )
}

function bodyOf(value: Uint8Array): Uint8Array {
  const bytes = unseal(KEY, value, 'coordination mark', 0)
  return bytes.subarray(BODY_FROM, bodyEnd(bytes))
}

function parse(json: Uint8Array): Partial<EpochMark> {
  try {
    return JSON.parse(new TextDecoder().decode(json)) as Partial<EpochMark>
  } catch {
    throw corrupt(KEY, 'it is no mark of the coordination store')
  }
}
