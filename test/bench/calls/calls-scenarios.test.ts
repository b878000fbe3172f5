import assert from 'node:assert/strict'
import { matchScenarios } from '../../../bench/calls/calls-scenarios.ts'
import { localMatchFigures } from '../../../bench/calls/local-match.ts'
import { remoteMatchFigures } from '../../../bench/calls/remote-match.ts'

/** Of the figures that are measured, what the tables and verdicts of a scenario show. */
function measuredKeysOf(id: string): string[] {
  const { metrics, budgets = [] } = matchScenarios.find(scenario => scenario.id === id) ?? assert.fail()
  const keys = metrics.map(({ key }) => key)
  for (const { metric = '' } of budgets) assert(metric === '' || keys.includes(metric), metric)
  return keys.filter(key => !key.startsWith('published')).sort()
}

function assertFigures(figures: Record<string, number>, id: string): void {
  assert.deepEqual(Object.keys(figures).sort(), measuredKeysOf(id))
  for (const [key, value] of Object.entries(figures)) assert(Number.isFinite(value), `${key}: ${value}`)
}

describe('the scenarios of single calls', () => {
  it("measure every figure they show of this node's own filters, and of the trie beside them", () => {
    const figures = localMatchFigures({ filters: 20, topics: 200, clients: 100 })
    assertFigures(figures, 'mesh-match')
  })

  it("measure every figure they show of the other nodes' filters", () => {
    const sizes = { nodes: 3, filtersPerNode: 2000, wildcardsPerNode: 1000, topics: 200, trieFilters: 100 }
    const figures = remoteMatchFigures(sizes)
    assertFigures(figures, 'mesh-remote-match')
    assert.equal(figures['tableMb'], (2 ** 15 * 4) / 1e6, 'one plane for the three of them')
  })
})
