import assert from 'node:assert/strict'
import { FeedImage } from '../../gossip/feed-image.ts'
import { FeedWriter } from '../../gossip/feed-writer.ts'
import { LocalInterest } from '../../gossip/local-interest.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import { TopicHasher } from '../../src/core/interest-hash.ts'
import { limits } from '../../src/core/limits.ts'
import { MemoryRecords } from './memory-records.ts'

const CLUSTER = 'test'

/** A node's local interest, and the writer of its records. */
class WriterHarness {
  readonly clock = new VirtualClock()
  readonly records = new MemoryRecords(this.clock)
  readonly filters = new Set<string>()
  readonly faults: (string | undefined)[] = []
  readonly local: LocalInterest
  readonly writer: FeedWriter

  constructor() {
    this.local = new LocalInterest(
      {
        local: { filters: () => this.filters, groups: () => [] },
        clock: this.clock,
        publish: messages => this.writer.add(messages),
        onNewGeneration: () => this.writer.renew(),
        batchIntervalMs: () => 20,
      },
      CLUSTER,
    )
    this.local.start('node-a', 7)
    const { records, clock, local } = this
    this.writer = new FeedWriter({ records, clock, local, onChanged: fault => this.faults.push(fault) })
  }

  toggle(filter: string): void {
    if (this.filters.delete(filter)) this.local.change(filter, false)
    else {
      this.filters.add(filter)
      this.local.change(filter, true)
    }
  }

  image(): FeedImage | undefined {
    return FeedImage.load(this.records.all(), new TopicHasher(CLUSTER))
  }

  /** What is there amounts to all that was announced. */
  assertComplete(): void {
    const { sequence, generation, exactCount, exactChecksum, patternCount, patternChecksum } =
      this.local.summary()
    const expected = { sequence, generation, exactCount, exactChecksum, patternCount, patternChecksum }
    assert.deepEqual(this.image()?.state, expected)
  }

  get names(): readonly string[] {
    return [...this.records.values.keys()]
  }
}

describe('FeedWriter', () => {
  it('writes the whole interest, then the changes, and they come to what was announced', async () => {
    const node = new WriterHarness()
    for (let i = 0; i < 100; i++) node.toggle(`before/${i}`)
    node.toggle('wild/+')
    await node.clock.advance(100)
    assert.equal(node.records.writes.length, 0)
    node.writer.start()
    await node.clock.advance(100)
    assert.equal(node.writer.isWritten, true)
    node.assertComplete()
    for (let i = 50; i < 150; i++) node.toggle(`before/${i}`)
    node.toggle('wild/+')
    node.toggle('more/#')
    await node.clock.advance(200)
    node.assertComplete()
  })

  it('writes little for a change, and no more than 20 times a second', async () => {
    const node = new WriterHarness()
    for (let i = 0; i < 20_000; i++) node.toggle(`site/${i}`)
    node.writer.start()
    await node.clock.advance(2000)
    node.assertComplete()
    const before = node.records.writes.length
    for (let i = 0; i < 100; i++) {
      node.toggle(`site/${i}`)
      await node.clock.advance(10)
    }
    const writes = node.records.writes.slice(before)
    assert.ok(writes.length <= 22, `${writes.length} writes`)
    assert.ok(Math.max(...writes.map(({ bytes }) => bytes)) < 1000)
    await node.clock.advance(200)
    node.assertComplete()
  })

  it('cuts its log short with a new snapshot of what changed, and stays readable at every moment', async () => {
    const node = new WriterHarness()
    for (let i = 0; i < 3000; i++) node.toggle(`site/${i}`)
    for (let i = 0; i < 500; i++) node.toggle(`wild/${i}/+`)
    node.writer.start()
    await node.clock.advance(1000)
    let unreadable = 0
    let logValues = 0
    for (let round = 0; round < 400; round++) {
      for (let i = 0; i < 50; i++) node.toggle(`site/${(round * 37 + i * 61) % 6000}`)
      if (round % 10 === 0) node.toggle(`wild/${round}/+`)
      await node.clock.advance(25)
      if (node.image() === undefined) unreadable++
      logValues = Math.max(logValues, node.records.all('d/').length)
    }
    // A reader meets new patterns under an old base for a moment at most, and reads again.
    assert.ok(unreadable < 8, `${unreadable} times`)
    await node.clock.advance(500)
    node.assertComplete()
    const bytes = node.records.writes.reduce((sum, write) => sum + write.bytes, 0)
    const changes = 400 * 51
    assert.ok(
      logValues < 300 && bytes / changes < 40,
      `${logValues} values, ${bytes / changes} bytes a change`,
    )
    assert.ok(node.records.all('d/').length < 200)
    assert.equal(new Set(node.records.all('p/').map(({ name }) => name.split('/')[1])).size, 1)
  }).timeout(30_000)

  it('writes everything anew under a new generation, and removes what was of the old one', async () => {
    const node = new WriterHarness()
    node.writer.start()
    for (let i = 0; i < 30_000; i++) {
      node.toggle(`site/${i}`)
      if (i % 1000 === 0) await node.clock.advance(5)
    }
    await node.clock.advance(3000)
    assert.ok(node.local.summary().generation > 1)
    node.assertComplete()
    const generations = new Set(node.records.all('s/').map(({ name }) => name.split('/')[1]))
    assert.deepEqual([...generations], [String(node.local.summary().generation)])
  }).timeout(30_000)

  it('leaves nothing of a snapshot that was given up halfway', async () => {
    const node = new WriterHarness()
    for (let i = 0; i < 20_000; i++) node.toggle(`${'y'.repeat(50)}/${i}/+`)
    for (let i = 0; i < 100_000; i++) node.toggle(`site/${i}`)
    node.writer.start()
    while (node.records.all('p/').length === 0) await node.clock.advance(0.5)
    assert.equal(node.writer.isWritten, false)
    node.writer.renew()
    for (let i = 1000; i < 20_000; i++) node.toggle(`${'y'.repeat(50)}/${i}/+`)
    await node.clock.advance(3000)
    node.assertComplete()
    assert.equal(new Set(node.records.all('p/').map(({ name }) => name.split('/')[1])).size, 1)
  }).timeout(30_000)

  it('keeps every write within its limits, whatever the size of a filter', async () => {
    const node = new WriterHarness()
    node.toggle(`${'x'.repeat(65_000)}/+`)
    for (let i = 0; i < 2000; i++) node.toggle(`${'y'.repeat(300)}/${i}/+`)
    node.writer.start()
    await node.clock.advance(1000)
    node.toggle(`${'z'.repeat(65_000)}/+`)
    await node.clock.advance(500)
    node.assertComplete()
    for (const value of node.records.values.values()) assert.ok(value.length <= limits.routeValueBytesMax)
    for (const { changes, bytes } of node.records.writes) {
      assert.ok(changes <= limits.routeWriteChangesMax && bytes <= limits.routeWriteBytesMax)
    }
  })

  it('begins anew when what it wrote is lost', async () => {
    const node = new WriterHarness()
    for (let i = 0; i < 100; i++) node.toggle(`site/${i}`)
    node.writer.start()
    await node.clock.advance(200)
    node.records.next = 'lost'
    node.records.values.clear()
    await node.clock.advance(10_000) // nothing changes: it finds out by itself
    assert.equal(node.records.clears, 2)
    assert.equal(node.writer.isWritten, true)
    node.assertComplete()
  })

  it('says when the store has no room, and tries again', async () => {
    const node = new WriterHarness()
    node.toggle('a')
    node.records.next = 'full'
    node.writer.start()
    await node.clock.advance(100)
    assert.deepEqual(node.faults, ['full'])
    assert.equal(node.writer.isWritten, false)
    await node.clock.advance(10_000)
    assert.equal(node.writer.isWritten, true)
    node.assertComplete()
  })

  it('erases what is there after it was stopped, and can begin again', async () => {
    const node = new WriterHarness()
    node.toggle('a')
    node.writer.start()
    await node.clock.advance(200)
    node.writer.stop()
    node.writer.erase()
    node.toggle('b')
    await node.clock.advance(200)
    assert.deepEqual(node.names, [])
    node.writer.start()
    await node.clock.advance(200)
    node.assertComplete()
  })
})
