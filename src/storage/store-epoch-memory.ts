import { errorMessage } from '../core/errors.ts'
import type { EpochMark, EpochMemory } from '../core/ports/epoch-memory.ts'
import type { Logger } from '../core/ports/logger.ts'
import type { Store } from '../core/ports/store.ts'

const KEY = 'coordination/epoch'

/** What a node remembers of the coordination store, as JSON under one key of its local store. */
export class StoreEpochMemory implements EpochMemory {
  readonly #store: Store
  readonly #logger: Logger

  constructor(store: Store, logger: Logger) {
    this.#store = store
    this.#logger = logger
  }

  /** Throws when the value is not as it was written: the local store is damaged. */
  async load(): Promise<EpochMark | undefined> {
    const value = await this.#store.get(KEY)
    if (value === undefined) return undefined
    const mark = JSON.parse(new TextDecoder().decode(value)) as Partial<EpochMark>
    const { epoch, revision, claimedEpoch, owners } = mark
    const isMark = [epoch, revision, claimedEpoch ?? 0].every(Number.isSafeInteger)
    if (!isMark || epoch === undefined || revision === undefined || !isOwnerClaims(owners ?? [])) {
      throw new Error(`the local store has something else under ${KEY} than was written there`)
    }
    return {
      ...{ epoch, revision },
      ...(claimedEpoch === undefined ? {} : { claimedEpoch }),
      ...(owners === undefined ? {} : { owners }),
    }
  }

  save(mark: EpochMark): void {
    try {
      this.#store.append([{ type: 'put', key: KEY, value: new TextEncoder().encode(JSON.stringify(mark)) }])
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
