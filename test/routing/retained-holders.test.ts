import assert from 'node:assert/strict'
import { RetainedHolders } from '../../routing/retained-holders.ts'

const nodeIds = Array.from({ length: 20 }, (_, i) => `node-${i}`)
const topics = Array.from({ length: 4000 }, (_, i) => `site/${i % 7}/device/${i}/state`)

function holdersOf(self: string, members: readonly string[]): RetainedHolders {
  const holders = new RetainedHolders(self, 'test')
  holders.setNodes(members)
  return holders
}

describe('the holders of large retained messages', () => {
  it('are two, the same ones whoever works them out and in whichever order it heard of the members', () => {
    const [one, other] = [holdersOf('node-3', nodeIds), holdersOf('node-7', nodeIds.toReversed())]
    for (const topic of topics) {
      assert.deepEqual(one.of(topic), other.of(topic))
      assert.equal(new Set(one.of(topic)).size, 2)
      assert.equal(one.isHolder(topic), one.of(topic).includes('node-3'))
    }
  })

  it('are all nodes alike', () => {
    const holders = holdersOf('node-0', nodeIds)
    const counts = new Map<string, number>()
    for (const nodeId of topics.flatMap(topic => holders.of(topic)))
      counts.set(nodeId, (counts.get(nodeId) ?? 0) + 1)
    for (const nodeId of nodeIds) {
      const count = counts.get(nodeId) ?? 0
      assert(count > 300 && count < 500, `${nodeId} holds ${count} of 8,000`)
    }
  })

  it('change for those topics only of which the member that goes was one, and the other one stays', () => {
    const before = holdersOf('node-0', nodeIds)
    const after = holdersOf(
      'node-0',
      nodeIds.filter(nodeId => nodeId !== 'node-5'),
    )
    let moved = 0
    for (const topic of topics) {
      const left = before.of(topic).filter(nodeId => nodeId !== 'node-5')
      if (left.length < 2) moved++
      for (const nodeId of left) assert(after.of(topic).includes(nodeId))
    }
    assert(moved > 300 && moved < 500, `${moved} moved`)
  })

  it('are all there are in a cluster of one or two, and this node while it knows of nobody', () => {
    assert.deepEqual(holdersOf('a', ['a']).of('t'), ['a'])
    assert.deepEqual(holdersOf('a', ['a', 'b']).of('t').toSorted(), ['a', 'b'])
    assert(new RetainedHolders('a', 'test').isHolder('t'))
  })
})
