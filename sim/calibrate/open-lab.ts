import { canPin } from '../../bench/pinned-process.ts'
import type { Lab } from './lab.ts'

const WINDOW_MS = 1500

/** The machine as it is, everything at full size. */
export function openLab(told: Pick<Lab, 'repetitions' | 'signal' | 'progress'>): Lab {
  const isPinned = canPin()
  if (!isPinned)
    told.progress('taskset or a second core is missing: processes are not pinned, figures will vary')
  return { ...told, cores: isPinned ? { broker: 0, load: 1 } : null, windowMs: WINDOW_MS, size: 1 }
}
