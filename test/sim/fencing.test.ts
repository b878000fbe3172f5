import assert from 'node:assert/strict'
import type { FencingResult, Outage } from './support/stop-and-go-on.ts'
import { simulate } from './support/test-simulations.ts'

function stopAndGoOn(isFenced: boolean, outage: Outage): Promise<FencingResult> {
  return simulate<FencingResult>({ kind: 'stop-and-go-on', isFenced, outage })
}

describe('A node that is stopped beyond its lease', () => {
  it('acknowledges nothing when it goes on', async () => {
    assert.deepEqual(await stopAndGoOn(true, 'stopped'), { found: [], acknowledged: 0, isBack: true })
  })

  it('is caught by the checkers if it does', async () => {
    const { found } = await stopAndGoOn(false, 'stopped')
    assert.deepEqual(
      found.map(({ invariant }) => invariant),
      [6, 15],
    )
    assert.match(found[0]?.detail ?? '', /node-0 sent puback .* after node-1 had accepted/)
    assert.match(found[1]?.detail ?? '', /node-0 sent puback to c .* had not renewed its lease/)
  })
})

describe('A node that is cut off from the store and the others beyond its lease', () => {
  it('acknowledges nothing meanwhile, and serves again afterwards without a restart', async () => {
    assert.deepEqual(await stopAndGoOn(true, 'cut off'), { found: [], acknowledged: 0, isBack: true })
  })

  it('is caught by the checkers if it does: two nodes serve one client', async () => {
    const { found } = await stopAndGoOn(false, 'cut off')
    assert.ok(found.length > 0)
    for (const { invariant, detail } of found) {
      assert.equal(invariant, 6)
      assert.match(detail, /node-0 sent puback .* after node-1 had accepted/)
    }
  })
})
