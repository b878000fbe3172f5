import assert from 'node:assert/strict'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import { JournalWriter } from '../../src/storage/journal-writer.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import { StoreSeenJournal } from '../../src/storage/store-seen-journal.ts'

describe('StoreSeenJournal', () => {
  it('gives back what was remembered, in that order, and which life was the last', async () => {
    const clock = new VirtualClock()
    const store = new MemoryStore({ clock, entries: new Map() })
    const journal = (): StoreSeenJournal => new StoreSeenJournal(new JournalWriter(store))
    assert.deepEqual(await journal().load(), { ids: [], life: undefined })
    const ids = [
      { incarnation: 2 ** 48 + 1, number: 2 },
      { incarnation: 3, number: 1 },
    ]
    const first = journal()
    first.begin(7)
    for (const id of ids) first.remember(id)
    first.begin(2 ** 48 + 9)
    await clock.advance(1)
    assert.deepEqual(await journal().load(), { ids, life: 2 ** 48 + 9 })
  })
})
