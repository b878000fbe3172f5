import assert from 'node:assert/strict'
import { FuzzRun } from './fuzz-run.ts'

const mebibyte = 1024 * 1024
const warmUpSeeds = 2000
/** A leak of 100 bytes a connection shows well above this in ten minutes. */
const heapGrowthMax = 24 * mebibyte

describe('hostile clients for FUZZ_SECONDS, ten minutes by default', () => {
  let run: FuzzRun

  before(async function () {
    this.timeout(40_000)
    run = await FuzzRun.start()
  })
  after(() => run.stop())

  it('harm nobody and leave nothing in memory', async function () {
    const seconds = Number(process.env['FUZZ_SECONDS'] ?? 600)
    this.timeout((seconds + 120) * 1000)
    const first = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000_000)
    console.log(`      seeds from ${first} on`)
    await run.fuzz(first, next => next < first + warmUpSeeds)
    await run.assertUnharmed()
    const before = await heapOf(run)
    const end = performance.now() + seconds * 1000
    const count = await run.fuzz(first + warmUpSeeds, () => performance.now() < end)
    await run.assertUnharmed()
    const growth = (await heapOf(run)) - before
    console.log(`      ${count} connections, heap growth ${Math.round(growth / 1024)} KiB`)
    assert(
      growth < heapGrowthMax,
      `the heap grew by ${growth} bytes in ${count} connections from seed ${first}`,
    )
  })
})

/** Used heap and external memory after a collection: the least of several readings, for the collection is not awaited. */
async function heapOf({ broker }: FuzzRun): Promise<number> {
  let least = Infinity
  for (let reading = 0; reading < 5; reading++) {
    broker.collectGarbage()
    await new Promise(resolve => setTimeout(resolve, 400))
    const heap = await broker.metric('nodejs_heap_size_used_bytes')
    least = Math.min(least, heap + (await broker.metric('nodejs_external_memory_bytes')))
  }
  return least
}
