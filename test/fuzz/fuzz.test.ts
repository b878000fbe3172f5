import assert from 'node:assert/strict'
import { FuzzRun } from './fuzz-run.ts'

describe('hostile clients', () => {
  let run: FuzzRun

  before(async function () {
    this.timeout(40_000)
    run = await FuzzRun.start()
  })
  after(() => run.stop())

  it('harm nobody: the same 600 sequences in each run, or the one of FUZZ_SEED', async function () {
    this.timeout(120_000)
    const seed = process.env['FUZZ_SEED']
    const first = Number(seed ?? 1)
    const count = seed === undefined ? 600 : 1
    assert.equal(await run.fuzz(first, next => next < first + count), count)
    await run.assertUnharmed()
  })
})
