import assert from 'node:assert/strict'
import {
  parseScenario,
  pointsOf,
  type Scenario,
  type ScenarioFault,
} from '../../../sim/convergence/scenario.ts'

function faultsOf(input: Record<string, unknown>): readonly string[] {
  const parsed = parseScenario(input)
  assert.ok(Array.isArray(parsed), 'the scenario was taken')
  return (parsed as readonly ScenarioFault[]).map(({ field, reason }) => `${field}: ${reason}`)
}

function taken(input: Record<string, unknown>): Scenario {
  const parsed = parseScenario(input)
  assert.ok(!Array.isArray(parsed), JSON.stringify(parsed))
  return parsed as Scenario
}

describe('parseScenario', () => {
  it('takes one value where a list may stand, and fills in the rest', () => {
    const scenario = taken({ nodes: 5, loss: [0, 0.01] })
    assert.deepEqual(scenario.nodes, [5])
    assert.deepEqual(scenario.profile, ['one-rack'])
    assert.deepEqual(
      pointsOf(scenario).map(({ nodes, loss }) => [nodes, loss]),
      [
        [5, 0],
        [5, 0.01],
      ],
    )
  })

  it('says all that is wrong at once, each with its field', () => {
    const faults = faultsOf({
      nodes: [3, 500],
      profile: 'moon',
      seconds: 'long',
      colour: 'red',
      partition: { from: 30, to: 10, cut: 'half', why: 1 },
    })
    assert.deepEqual(faults.map(fault => fault.split(':')[0]).sort(), [
      'colour',
      'nodes.1',
      'partition',
      'profile',
      'seconds',
    ])
  })

  const contradictory: readonly [what: string, input: Record<string, unknown>, expected: RegExp][] = [
    [
      'a mesh degree no cluster is large enough for',
      { nodes: [3, 5], gossipDegree: 9 },
      /^gossipDegree: 9 .* 5$/,
    ],
    ['more nodes on a core than there are', { nodes: 4, nodesPerCore: 5 }, /^nodesPerCore: 5 .* 4 nodes/],
    [
      'nodes of several zones on one core',
      { profile: 'three-zones', nodesPerCore: 2 },
      /^nodesPerCore: .*zones/,
    ],
    ['too few changes for a percentile', { changesPerSecond: 0.1 }, /^changesPerSecond: 30 s have 3 changes/],
    ['batches longer than the run', { seconds: 2, batchIntervalMs: 5000 }, /^batchIntervalMs: 5000 ms/],
    [
      'a partition that ends before it begins',
      { partition: { from: 9, to: 3, cut: 'half' } },
      /^partition.to: ends at 3/,
    ],
    [
      'a partition after the changes',
      { seconds: 10, partition: { from: 20, to: 9, cut: 'half' } },
      /^partition.from: begins at 20 s/m,
    ],
    [
      'a zone to cut off where there is one',
      { partition: { from: 1, to: 3, cut: 'zone' } },
      /^partition.cut: profile one-rack/,
    ],
    ['tables larger than memory', { nodes: 100, filtersPerNode: 1_000_000 }, /^filtersPerNode: .*GiB/],
    [
      'more runs than anybody waits for',
      { seconds: 3600, nodes: 100, changesPerSecond: 10, heartbeatMs: [100, 200, 500, 1000] },
      /^seconds: .*million events/m,
    ],
    [
      'more to apply than fits',
      { seconds: 3600, nodes: 20, changesPerSecond: 1000 },
      /^changesPerSecond: one run/m,
    ],
  ]
  for (const [what, input, expected] of contradictory) {
    it(`refuses ${what}`, () => assert.match(faultsOf(input).join('\n'), expected))
  }

  it('takes the default degree for clusters that are smaller', () => {
    assert.deepEqual(taken({ nodes: 2 }).gossipDegree, [2])
  })
})
