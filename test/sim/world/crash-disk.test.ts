import assert from 'node:assert/strict'
import { SeededRandom } from '../../../sim/ports/seeded-random.ts'
import { VirtualClock } from '../../../sim/ports/virtual-clock.ts'
import { CrashDisk } from '../../../sim/world/crash-disk.ts'

describe('CrashDisk', () => {
  const value = (text: string): Uint8Array => new TextEncoder().encode(text)
  let clock: VirtualClock
  let disk: CrashDisk

  beforeEach(async () => {
    clock = new VirtualClock()
    disk = new CrashDisk(new SeededRandom(1))
    disk.open(clock).append([{ type: 'put', key: 'k', value: value('as written') }])
    await clock.advance(1000)
  })

  it('is damaged from when a bit flips until that is mended', () => {
    const mend = disk.flipBit()
    assert.equal(disk.isDamaged, true)
    assert.notDeepEqual(disk.entries.get('k'), value('as written'))
    mend()
    assert.equal(disk.isDamaged, false)
    assert.deepEqual(disk.entries.get('k'), value('as written'))
  })

  it('is not damaged any more when the record is written anew or deleted, which mending leaves alone', async () => {
    const mend = disk.flipBit()
    const store = disk.open(clock)
    store.append([{ type: 'put', key: 'k', value: value('new') }])
    await clock.advance(1000)
    assert.equal(disk.isDamaged, false)
    mend()
    assert.deepEqual(disk.entries.get('k'), value('new'))
    disk.flipBit()
    store.append([{ type: 'del', key: 'k' }])
    await clock.advance(1000)
    assert.equal(disk.isDamaged, false)
  })
})
