import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { chaos, describeFailure } from '../../sim/chaos/chaos-command.ts'

const SEEDS = 25
/** Real time that is more than enough; a simulation that hangs is ended then. */
const PATIENCE_MS = 180_000

describe('Simulated clusters under faults', () => {
  for (const isRoaming of [false, true]) {
    it(`keep every invariant with clients that ${isRoaming ? 'go from node to node' : 'stay'}`, async function () {
      this.timeout(PATIENCE_MS + 5000)
      const plan = {
        from: 1,
        seeds: SEEDS,
        nodes: 3,
        minutes: 1,
        isRoaming,
        isShrinking: false,
        threads: availableParallelism(),
        commit: 'this one',
      }
      const { failed, seeds } = await chaos(plan, () => undefined, AbortSignal.timeout(PATIENCE_MS))
      assert.equal(failed.length, 0, failed.map(describeFailure).join('\n'))
      assert.equal(seeds, SEEDS)
    })
  }
})
