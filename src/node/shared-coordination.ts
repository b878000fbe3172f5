import { EmbeddedCoordinationStore } from '../../coordination/embedded/embedded-coordination-store.ts'
import type { CoordinationStore } from '../core/ports/coordination-store.ts'
import { LevelStore } from '../storage/level-store.ts'
import { SystemClock } from '../system/system-clock.ts'
import { SystemRandom } from '../system/system-random.ts'

/**
 * A coordination store in `dir` for several nodes of this process; closing it closes its files too. Rejects with
 * DATA_DIR_LOCKED, DATA_DIR_UNWRITABLE or STORE_CORRUPT.
 */
export async function openSharedCoordination(dir: string): Promise<CoordinationStore> {
  const clock = new SystemClock()
  const store = await LevelStore.open({ dir, sync: 'batch', syncIntervalMs: 100, clock })
  try {
    const coordination = await EmbeddedCoordinationStore.open({ store, clock, random: new SystemRandom() })
    const close = async (): Promise<void> => {
      await coordination.close()
      await store.close()
    }
    return new Proxy(coordination, {
      get: (target, name) => {
        if (name === 'close') return close
        const member: unknown = Reflect.get(target, name, target)
        return typeof member === 'function' ? member.bind(target) : member
      },
    })
  } catch (error) {
    await store.close()
    throw error
  }
}
