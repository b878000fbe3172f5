import assert from 'node:assert/strict'
import type { NodeId } from '../../src/core/ids.ts'
import { HashedRemoteIndex } from '../../routing/remote-index.ts'
import { KeptInterest } from '../../routing/kept-interest.ts'

describe('KeptInterest', () => {
  let index: HashedRemoteIndex
  let kept: KeptInterest
  const nobody = (): boolean => false

  /** A node whose clients want `filter`, which has a wildcard. */
  const know = (nodeId: NodeId, filter: string): void => {
    const node = kept.node(nodeId)
    node.begin(15)
    const segments = node.checksums.length
    for (let i = 0; i < segments; i++) node.writeSegment(i, new Uint32Array(1024))
    node.setPattern('', filter, 1)
    node.setKnown(true)
  }

  beforeEach(() => {
    index = new HashedRemoteIndex('test')
    kept = new KeptInterest(index)
    know('b', 'b/#')
    know('c', 'c/#')
  })

  it('goes on matching for a node that is gone while messages are kept for it, and for no other', () => {
    kept.keep(['b'], nobody)
    kept.clear('b')
    kept.clear('c')
    assert.deepEqual(index.match('b/x'), ['b'])
    assert.deepEqual(index.match('c/x'), [])
    assert.deepEqual(index.match('other'), [])
  })

  it('is cleared when the node is forgotten', () => {
    kept.keep(['b'], nobody)
    kept.clear('b')
    kept.keep([], nobody)
    assert.deepEqual(index.match('b/x'), [])
  })

  it('matches everything for a node whose interest was not known when it went, until it is forgotten', () => {
    kept.node('b').setKnown(false) // a gap, under repair
    kept.keep(['b'], nobody)
    kept.clear('b')
    assert.deepEqual(index.match('anything'), ['b'])
    kept.keep([], nobody)
    assert.deepEqual(index.match('anything'), [])
  })

  it('matches everything for a node that was gone before this one started', () => {
    kept.keep(['d'], nobody)
    assert.deepEqual(index.match('anything'), ['d'])
    kept.keep(['b', 'd'], nobody)
    assert.deepEqual([...index.match('c/x')].sort(), ['c', 'd'])
  })

  it('leaves a node that returned to the exchange', () => {
    kept.keep(['b'], nobody)
    kept.clear('b')
    kept.keep([], nodeId => nodeId === 'b')
    assert.deepEqual(index.match('b/x'), ['b'], 'until its new interest is there')
    kept.clear('b')
    assert.deepEqual(index.match('b/x'), [])
  })
})
