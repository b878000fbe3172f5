import type { Clock } from '../../src/core/ports/clock.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'

/** Time a simulated disk takes for a write, ms. */
const WRITE_MS = 1

/** What lies on a simulated disk: survives the `SimStore`s opened on it, one at a time. */
export type SimDisk = Map<string, Uint8Array>

/** A faultless disk under virtual time: what is appended is committed `WRITE_MS` later, never sooner. */
export class SimStore extends MemoryStore {
  constructor({ clock, disk }: { readonly clock: Clock; readonly disk: SimDisk }) {
    super({ clock: { defer: task => void clock.schedule(WRITE_MS, task) }, entries: disk })
  }
}
