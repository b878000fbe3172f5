import assert from 'node:assert/strict'
import fc from 'fast-check'
import { ChildTable, type NamedNode } from '../../routing/child-table.ts'

function find(
  table: ChildTable<NamedNode>,
  parent: NamedNode,
  hash: number,
  name: string,
): NamedNode | undefined {
  return table.find(parent, hash, name, 0, name.length)
}

describe('ChildTable', () => {
  const change = fc.record({
    parent: fc.nat(3),
    name: fc.constantFrom('', 'a', 'b', 'ab', 'ba', '__proto__', '\ufffd'),
    isAdded: fc.boolean(),
    // Few hashes, so that entries collide and lie in one another's way.
    hash: fc.constantFrom(0, 1, 2, -1),
  })

  it('finds exactly what was added and not deleted, whatever collides', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 200 }), changes => {
        const table = new ChildTable<NamedNode>(1)
        const parents = [0, 1, 2, 3].map(number => ({ number: -number, name: '' }))
        const model = new Map<string, { parent: NamedNode; hash: number; node: NamedNode }>()
        for (const { parent: at, name, isAdded, hash } of changes) {
          const parent = parents[at] as NamedNode
          const key = `${at}/${hash}/${name}`
          const held = model.get(key)
          if (isAdded && held === undefined) {
            const node = { number: 0, name }
            table.add(parent, hash, node)
            model.set(key, { parent, hash, node })
          } else if (!isAdded && held !== undefined) {
            table.delete(parent, hash, held.node)
            model.delete(key)
          }
          assert.equal(find(table, parent, hash, name), model.get(key)?.node)
        }
        for (const { parent, hash, node } of model.values()) {
          assert.equal(find(table, parent, hash, node.name), node)
        }
      }),
    )
  })

  it('hashes a level the same wherever it stands, and by its secret', () => {
    const table = new ChildTable<NamedNode>(7)
    const other = new ChildTable<NamedNode>(8)
    assert.equal(table.hashLevel('a/level/b', 2), table.hashLevel('level', 0))
    assert.equal(table.hashLevel('a/level/b', 2) === other.hashLevel('level', 0), false)
    table.hashLevel('a/level/b', 2)
    assert.equal(table.levelEnd, 7)
  })
})
