import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { SimStore, type SimDisk } from '../../sim/ports/sim-store.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import { JournalWriter } from '../../src/storage/journal-writer.ts'
import { LevelStore, type SyncMode } from '../../src/storage/level-store.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import type { Store } from '../../src/core/ports/store.ts'
import { StoreRetainedJournal } from '../../src/storage/store-retained-journal.ts'
import { StoreSessionJournal } from '../../src/storage/store-session-journal.ts'
import { SystemClock } from '../../src/system/system-clock.ts'
import type { RetainedHarness } from '../contract/retained-contract.ts'
import type { SessionJournalHarness } from '../contract/session-journal-contract.ts'
import { makeStoreHarness, type StoreHarness } from '../contract/store-contract.ts'

export function memoryHarness(): Promise<StoreHarness> {
  const clock = new VirtualClock()
  const entries = new Map<string, Uint8Array>()
  return makeStoreHarness(
    () => Promise.resolve(new MemoryStore({ clock, entries })),
    ms => clock.advance(ms),
  )
}

export function simHarness(): Promise<StoreHarness> {
  const clock = new VirtualClock()
  const disk: SimDisk = new Map()
  return makeStoreHarness(
    () => Promise.resolve(new SimStore({ clock, disk })),
    ms => clock.advance(ms),
  )
}

export async function levelHarness(sync: SyncMode): Promise<StoreHarness> {
  const dir = await temporaryDir()
  return makeStoreHarness(
    () => openLevelStore(dir, sync),
    ms => sleep(ms),
    () => rm(dir, { recursive: true }),
  )
}

export async function journalHarness(store: Promise<StoreHarness>): Promise<SessionJournalHarness> {
  const harness = await store
  return {
    subject: sessionJournal(harness.subject),
    advance: ms => harness.advance(ms),
    reopen: async () => sessionJournal(await harness.reopen()),
    close: () => harness.close(),
  }
}

export async function retainedHarness(store: Promise<StoreHarness>): Promise<RetainedHarness> {
  const harness = await store
  const writer = new JournalWriter(harness.subject)
  return {
    subject: new StoreRetainedJournal(writer),
    sessions: new StoreSessionJournal(writer),
    advance: ms => harness.advance(ms),
    reopen: async () => new StoreRetainedJournal(new JournalWriter(await harness.reopen())),
    close: () => harness.close(),
  }
}

export function sessionJournal(store: Store): StoreSessionJournal {
  return new StoreSessionJournal(new JournalWriter(store))
}

export function openLevelStore(dir: string, sync: SyncMode = 'never'): Promise<LevelStore> {
  return LevelStore.open({ dir, sync, syncIntervalMs: 20, clock: new SystemClock() })
}

export function temporaryDir(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'grapevine-store-'))
}
