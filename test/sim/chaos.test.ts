import assert from 'node:assert/strict'
import { runChaos } from '../../sim/chaos/chaos-run.ts'

/** Between them: stops, suspensions, partitions, cut links, store outages, slow disks. */
const seeds = [1, 3, 8, 12, 19, 20, 21]

describe('A simulated cluster under faults', () => {
  for (const seed of seeds) {
    it(`keeps every invariant with seed ${seed}`, async () => {
      const { violations } = await runChaos({ seed, nodes: 3, minutes: 1, isRoaming: false })
      assert.deepEqual(violations, [], `replay: grapevine sim replay ${seed} --clients sticky`)
    })
  }
})
