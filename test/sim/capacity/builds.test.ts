import assert from 'node:assert/strict'
import { expectedErrorShare } from '../../../sim/capacity/bloom-error.ts'
import type { Meter, RemoteTask } from '../../../sim/capacity/build-result.ts'
import { buildLocal } from '../../../sim/capacity/local-build.ts'
import { buildFilter, buildRemote } from '../../../sim/capacity/remote-build.ts'

const meter: Meter = { now: () => 0, heapBytes: () => 0 }
const remoteTask: RemoteTask = {
  kind: 'remote',
  seed: 3,
  nodes: 5,
  exactFilters: 20_000,
  wildcardSubscriptions: 300,
  sharedSubscriptions: 50,
  wildcardFilters: 100,
  sharedGroups: 10,
}

describe('buildRemote', () => {
  it('builds an index that misses nobody, whose digests are its origins’', () => {
    const result = buildRemote(remoteTask, meter, () => {})
    assert.equal(result.digestsEqual, 4)
    assert.equal(result.missed, 0)
    assert.equal(result.hits, 20_000)
    assert.ok(result.named >= result.hits)
    assert.equal(result.tableBytes, 2 ** (result.bits + 2))
    // Every wildcard and group is somebody's by now, most of them everybody's.
    assert.equal(result.patterns, 110)
    assert.ok(result.patternsOfNodes > 400 && result.patternsOfNodes <= 440, `${result.patternsOfNodes}`)
  })

  it('tells how far it is', () => {
    const shares: number[] = []
    buildRemote({ ...remoteTask, exactFilters: 300_000 }, meter, (done, total) => shares.push(done / total))
    assert.ok(shares.length >= 8)
    assert.deepEqual(
      shares,
      [...shares].sort((a, b) => a - b),
    )
  })
})

describe('buildFilter', () => {
  it('is wrong as often as arithmetic says, also when it holds more than it was made for', () => {
    for (const exactFilters of [150_000, 170_000]) {
      const { wasted, strays } = buildFilter({ kind: 'filter', seed: 1, exactFilters }, meter, () => {})
      const expected = expectedErrorShare(exactFilters)
      assert.ok(Math.abs(wasted / strays / expected - 1) < 0.2, `${wasted / strays} is not about ${expected}`)
    }
    assert.ok(expectedErrorShare(5_000_000) < 0.003)
    assert.ok(expectedErrorShare(50_000_000) > 0.9)
  })
})

describe('buildLocal', () => {
  it('holds every subscription of every client, and finds them', () => {
    const task = {
      kind: 'local',
      seed: 1,
      clients: 1_000,
      subscriptionsPerClient: 10,
      distinctShare: 0.5,
    } as const
    const patterns = { wildcardShare: 0.1, sharedShare: 0.01, wildcardFilters: 50, sharedGroups: 5 }
    const result = buildLocal({ ...task, ...patterns }, meter, () => {})
    assert.ok(result.subscriptions > 9_900 && result.subscriptions <= 10_000, `${result.subscriptions}`)
    assert.equal(result.filters, result.exactFilters + 55)
    // Two subscriptions each of nine in ten.
    assert.ok(Math.abs(result.exactFilters - 4_450) < 150, `${result.exactFilters}`)
    assert.equal(result.missed, 0)
  })
})
