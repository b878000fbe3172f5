import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { chaos, describeFailure } from '../../sim/chaos/chaos-command.ts'

const blocks = [
  { nodes: 3, isRoaming: false, from: 1, seeds: 25 },
  { nodes: 3, isRoaming: true, from: 1, seeds: 25 },
  { nodes: 3, isRoaming: true, from: 1, seeds: 3, keptFaults: [] },
  { nodes: 3, isRoaming: true, isOperated: true, from: 1, seeds: 15 },
  // Here a node hears of what a session subscribed to late, and publishes for it after it has moved there.
  { nodes: 5, isRoaming: true, from: 132, seeds: 1, keptFaults: [] },
]
/** Real time that is more than enough; a simulation that hangs is ended then. */
const PATIENCE_MS = 180_000

describe('Simulated clusters under faults', () => {
  for (const block of blocks) {
    const without = block.keptFaults === undefined ? '' : ', and nothing befalls them'
    const operated = block.isOperated === true ? ', while an operator is at work' : ''
    it(`of ${block.nodes} nodes keep every invariant with clients that ${block.isRoaming ? 'go from node to node' : 'stay'}${without}${operated}`, async function () {
      this.timeout(PATIENCE_MS + 5000)
      const plan = {
        ...block,
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
