import assert from 'node:assert/strict'
import type { Lab } from '../../../sim/calibrate/lab.ts'
import type { Reading } from '../../../sim/calibrate/reading.ts'
import { readStructures } from '../../../sim/calibrate/structure-readings.ts'

const lab: Lab = {
  ...{ cores: null, windowMs: 600, repetitions: 1, size: 0.02 },
  signal: new AbortController().signal,
  progress: () => {},
}

/** How large a figure can be on any machine at all; what it is here no test decides. */
function assertBetween(
  readings: readonly Reading[],
  name: Reading['name'],
  least: number,
  most: number,
): void {
  const runs = readings.find(reading => reading.name === name)?.runs ?? []
  assert.equal(runs.length, 1)
  assert.ok(runs[0]! > least && runs[0]! < most, `${name}: ${runs.join()}`)
}

// A real process.
describe('readStructures', function () {
  this.timeout(60_000)

  it('weighs what a node knows of the others', async () => {
    const readings = await readStructures(lab)
    assertBetween(readings, 'node.bytesPerRemotePattern', 100, 10_000)
    assertBetween(readings, 'node.bytesPerRemotePatternNode', 20, 5000)
    assertBetween(readings, 'node.bytesPerSubscription', 50, 5000)
    assertBetween(readings, 'node.bytesPerRetained', 100, 10_000)
    assertBetween(readings, 'node.cpuUsPerAppliedChange', 0.001, 1000)
  })
})
