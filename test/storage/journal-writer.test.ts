import assert from 'node:assert/strict'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import { JournalWriter } from '../../src/storage/journal-writer.ts'
import { HeldStore } from '../coordination/support/held-store.ts'

describe('JournalWriter', () => {
  it('takes what still comes after its store has failed, writes none of it, and never commits it', async () => {
    const clock = new VirtualClock()
    const store = new HeldStore(clock)
    const writer = new JournalWriter(store)
    writer.put('before', new Uint8Array(1))
    await clock.advance(1)
    store.fail()
    const { appended } = store
    const sequences = [
      writer.put('late', new Uint8Array(1)),
      writer.delete('before'),
      writer.write([{ type: 'del', key: 'before' }]),
    ]
    writer.atomically(() => sequences.push(writer.putNew('later', new Uint8Array(1))))
    await clock.advance(1000)
    assert.equal(store.appended, appended)
    for (const sequence of sequences) assert.ok(sequence > writer.committed)
    assert.deepEqual([...store.content.keys()], ['before'])
  })
})
