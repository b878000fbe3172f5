import { EmbeddedCoordinationStore } from '../../coordination/embedded/embedded-coordination-store.ts'
import type { CoordinationStore } from '../core/ports/coordination-store.ts'
import { LevelStore } from '../storage/level-store.ts'
import { SystemClock } from '../system/system-clock.ts'
import { SystemRandom } from '../system/system-random.ts'

/** A coordination store of its own files, for several nodes of this process. */
export interface SharedCoordination {
  readonly coordinationStore: CoordinationStore
  /** Closes the store and its files. To be called after the last node has stopped. */
  close(): Promise<void>
}

/** Opens it in `dir`. Rejects with DATA_DIR_LOCKED, DATA_DIR_UNWRITABLE or STORE_CORRUPT. */
export async function openSharedCoordination(dir: string): Promise<SharedCoordination> {
  const clock = new SystemClock()
  const store = await LevelStore.open({ dir, sync: 'batch', syncIntervalMs: 100, clock })
  try {
    const coordinationStore = await EmbeddedCoordinationStore.open({
      store,
      clock,
      random: new SystemRandom(),
    })
    const close = async (): Promise<void> => {
      await coordinationStore.close()
      await store.close()
    }
    return { coordinationStore, close }
  } catch (error) {
    await store.close()
    throw error
  }
}
