import assert from 'node:assert/strict'
import type { PointCosts, PointResult } from '../../../sim/convergence/point.ts'
import { parseScenario, pointsOf, type Scenario } from '../../../sim/convergence/scenario.ts'
import { sweep } from '../../../sim/convergence/sweep.ts'

const costs: PointCosts = {
  wakeMs: 0,
  idleMsPerSecond: 0,
  pauseMs: 0,
  gossipSendMs: 0.1,
  gossipReceiveMs: 0.1,
  gossipChangeMs: 0,
  gossipHopMsP50: 0,
  gossipHopMsP99: 0,
  streamFrameMs: 0.05,
  streamBytesPerMs: 300_000,
  packetMs: 0.01,
}

async function resultsOf(
  input: Record<string, unknown>,
  differing: Partial<PointCosts> = {},
): Promise<readonly PointResult[]> {
  const scenario = parseScenario({ seconds: 5, ...input })
  assert.ok(!Array.isArray(scenario), JSON.stringify(scenario))
  const results = await sweep(pointsOf(scenario as Scenario), {
    costs: { ...costs, ...differing },
    threads: 2,
    onProgress: () => undefined,
    signal: new AbortController().signal,
  })
  return results.filter(result => result !== undefined)
}

async function resultOf(
  input: Record<string, unknown>,
  differing?: Partial<PointCosts>,
): Promise<PointResult> {
  const [result] = await resultsOf(input, differing)
  assert.ok(result)
  return result
}

describe('a convergence run', function () {
  this.timeout(30_000)

  it('takes, between two nodes, the work at both ends and the way', async () => {
    const { everywhere, changes } = await resultOf(
      { nodes: 2, profile: 'this-machine', changesPerSecond: 5, arrivals: 'even' },
      { gossipSendMs: 5, gossipReceiveMs: 3, gossipChangeMs: 0, packetMs: 1 },
    )
    assert.equal(changes, 25)
    assert.ok(everywhere.p50 > 9.02 && everywhere.p50 < 9.2, String(everywhere.p50))
  })

  it('keeps cores as busy as the work of all messages says', async () => {
    const { gossip, stream, changes, cpu } = await resultOf({
      ...{ nodes: 10, nodesPerCore: 10, profile: 'this-machine', filtersPerNode: 0, arrivals: 'even' },
    })
    const rpcs = gossip.copies + gossip.told + gossip.asked
    const frames = stream.applied + stream.digests + stream.repairs + stream.deltas
    // At both ends of each.
    const workMs = rpcs * 0.2 + frames * 0.1 + changes * 0.01
    assert.ok(Math.abs(cpu.mean - workMs / 5000) < 0.02, `${cpu.mean} and ${workMs / 5000}`)
  })

  it('is the slower the further the nodes are from each other', async () => {
    const results = await resultsOf({ nodes: 6, profile: ['one-rack', 'three-zones', 'three-regions'] })
    const medians = results.map(({ everywhere }) => everywhere.p50)
    assert.deepEqual(
      medians,
      medians.toSorted((a, b) => a - b),
    )
    // No way to the farthest region is shorter than light allows.
    assert.ok((medians[2] ?? 0) > 110)
  })

  it('reaches every node in spite of loss, by repairs, and no barrier of all is a lie', async () => {
    const result = await resultOf({ nodes: 4, loss: 0.5, profile: 'one-rack' })
    assert.equal(result.neverApplied, 0)
    assert.ok(result.repairs + result.gossip.asked > 0)
    assert.ok(result.misses.all.sent > 0)
    assert.equal(result.misses.all.missed, 0)
  })

  it('leaves gossip for streams when there are too many changes', async () => {
    const [few, many] = await resultsOf({ nodes: 5, changesPerSecond: [10, 400], seconds: 3 })
    assert.equal(few?.stream.deltas, 0)
    assert.ok((many?.stream.deltas ?? 0) > 0)
  })

  it('shows in a partition exactly the pairs that cannot hear of each other, and none when it has healed', async () => {
    const { divergence, neverApplied } = await resultOf({
      ...{ nodes: 6, seconds: 20, changesPerSecond: 40, profile: 'one-rack' },
      partition: { from: 5, to: 15, cut: 'half' },
    })
    const during = divergence.filter(([at]) => at > 10 && at < 15).map(([, pairs]) => pairs)
    // Three nodes on each side: eighteen pairs across, in both directions.
    assert.equal(Math.min(...during), 18)
    assert.equal(divergence.at(-1)?.[1], 0)
    assert.equal(neverApplied, 0)
  })

  it('says so when the work is more than the cores can do', async () => {
    const { fault } = await resultOf(
      { nodes: 20, nodesPerCore: 20, profile: 'this-machine' },
      { streamFrameMs: 50 },
    )
    assert.match(fault ?? '', /never all knew each other/)
  })

  it('answers in the order of the points, whichever ends first', async () => {
    const results = await resultsOf({ nodes: [12, 2, 5] })
    assert.deepEqual(
      results.map(({ settings }) => settings.nodes),
      [12, 2, 5],
    )
  })
})
