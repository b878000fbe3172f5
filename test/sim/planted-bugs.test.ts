import assert from 'node:assert/strict'
import type { PlantedBug } from './support/planted-bugs.ts'
import { simulate } from './support/test-simulations.ts'

/** A bug, a seed whose faults bring it out, and the checker that has to complain. */
const cases: readonly (readonly [bug: PlantedBug, seed: number, checker: string])[] = [
  ['disks forget what they had committed', 5, 'acknowledged-means-kept'],
  ['messages to other nodes are acknowledged and not sent', 9, 'acknowledged-means-kept'],
  ['production code throws', 9, 'comes-to-rest'],
]

describe('A bug planted in a simulated cluster is found', () => {
  for (const [bug, seed, checker] of cases) {
    it(`by ${checker} when ${bug}`, async () => {
      const options = { seed, nodes: 3, minutes: 1, isRoaming: false }
      const { violations } = await simulate({ kind: 'planted-bug', options, bug })
      const complained = new Set(violations.map(violation => violation.checker))
      assert.ok(complained.has(checker), [...complained].join())
    })
  }
})
