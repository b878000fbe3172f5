import assert from 'node:assert/strict'
import type { FencingResult } from './support/stop-and-go-on.ts'
import { simulate } from './support/test-simulations.ts'

function stopAndGoOn(isFenced: boolean): Promise<FencingResult> {
  return simulate<FencingResult>({ kind: 'stop-and-go-on', isFenced })
}

describe('A node that is stopped beyond its lease', () => {
  it('acknowledges nothing when it goes on', async () => {
    assert.deepEqual(await stopAndGoOn(true), { found: [], acknowledged: 0 })
  })

  it('is caught by the checkers if it does', async () => {
    const { found } = await stopAndGoOn(false)
    assert.deepEqual(
      found.map(({ invariant }) => invariant),
      [6, 15],
    )
    assert.match(found[0]?.detail ?? '', /node-0 sent puback .* after node-1 had accepted/)
    assert.match(found[1]?.detail ?? '', /node-0 sent puback to c .* had not renewed its lease/)
  })
})
