import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { chaos, describeFailure } from '../../sim/chaos/chaos-command.ts'

const blocks = [
  { isRoaming: false, from: 1, seeds: 25 },
  { isRoaming: true, from: 1, seeds: 25 },
  { isRoaming: true, from: 1, seeds: 3, keptFaults: [] },
]
/** Real time that is more than enough; a simulation that hangs is ended then. */
const PATIENCE_MS = 180_000

describe('Simulated clusters under faults', () => {
  for (const block of blocks) {
    const without = block.keptFaults === undefined ? '' : ', and nothing befalls them'
    it(`keep every invariant with clients that ${block.isRoaming ? 'go from node to node' : 'stay'}${without}`, async function () {
      this.timeout(PATIENCE_MS + 5000)
      const plan = {
        ...block,
        nodes: 3,
        minutes: 1,
        isShrinking: false,
        threads: availableParallelism(),
        commit: 'this one',
      }
      const { failed, seeds } = await chaos(plan, () => undefined, AbortSignal.timeout(PATIENCE_MS))
      assert.equal(failed.length, 0, failed.map(describeFailure).join('\n'))
      assert.equal(seeds, block.seeds)
    })
  }
})
