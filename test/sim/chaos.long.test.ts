import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { chaos, describeFailure } from '../../sim/chaos/chaos-command.ts'

const SEEDS = 1000

describe(`${SEEDS} simulated clusters under faults`, () => {
  for (const [isRoaming, isOperated] of [
    [false, false],
    [true, false],
    [true, true],
  ] as const) {
    const operated = isOperated ? ', while an operator is at work' : ''
    it(`keep every invariant with clients that ${isRoaming ? 'go from node to node' : 'stay'}${operated}`, async function () {
      this.timeout(0)
      const plan = {
        from: 1,
        seeds: SEEDS,
        nodes: 3,
        minutes: 1,
        isRoaming,
        isOperated,
        isShrinking: false,
        threads: availableParallelism(),
        commit: 'this one',
      }
      const { failed } = await chaos(plan, () => undefined)
      assert.equal(failed.length, 0, failed.map(describeFailure).join('\n'))
    })
  }
})
