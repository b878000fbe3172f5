import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { LocalDelivery, LocalSubscription } from '../../src/core/ports/routing.ts'
import { topicMatches } from '../../src/core/topic.ts'
import { TrieLocalIndex } from '../../routing/local-index.ts'
import { TrieRemoteIndex } from '../../routing/remote-index.ts'
import { TopicTrie } from '../../routing/topic-trie.ts'

const level = fc.constantFrom('a', 'b', '', '$SYS', '__proto__', 'constructor', 'é')
const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map(levels => levels.join('/'))
const filter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { minLength: 0, maxLength: 4 }), fc.boolean())
  .filter(([levels, isOpen]) => isOpen || levels.length > 0)
  .map(([levels, isOpen]) => [...levels, ...(isOpen ? ['#'] : [])].join('/'))
  .filter(text => text.length > 0)

function subscriber(clientId: string): LocalDelivery {
  return { clientId, deliver() {} }
}

function subscription(of: LocalDelivery, text: string, qos: 0 | 1 | 2): LocalSubscription {
  return {
    filter: text,
    qos,
    noLocal: false,
    retainAsPublished: false,
    subscriptionIdentifier: undefined,
    subscriber: of,
  }
}

describe('TopicTrie', () => {
  it('matches what the definition matches, after any insertions and removals', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(filter, fc.boolean()), { maxLength: 30 }),
        fc.array(topic, { maxLength: 10 }),
        (changes, topics) => {
          const trie = new TopicTrie<{ filter: string }>()
          const model = new Set<string>()
          for (const [text, isAdded] of changes) {
            if (isAdded) {
              model.add(text)
              trie.set(text, { filter: text })
            } else {
              assert.equal(trie.delete(text), model.delete(text))
            }
          }
          assert.equal(trie.size, model.size)
          for (const text of model) assert.equal(trie.get(text)?.filter, text)
          for (const name of topics) {
            const found: { filter: string }[] = []
            trie.match(name, found)
            assert.deepEqual(
              found.map(value => value.filter).sort(),
              [...model].filter(text => topicMatches(text, name)).sort(),
            )
          }
        },
      ),
      { numRuns: 500 },
    )
  })

  it('matches a topic of thousands of levels without recursion', () => {
    const trie = new TopicTrie<{ filter: string }>()
    const deep = Array.from({ length: 30_000 }, () => '+').join('/')
    trie.set(deep, { filter: 'deep' })
    trie.set('#', { filter: 'all' })
    const found: { filter: string }[] = []
    trie.match(Array.from({ length: 30_000 }, () => 'x').join('/'), found)
    assert.deepEqual(found.map(value => value.filter).sort(), ['all', 'deep'])
  })

  it('visits each of its nodes at most once, however the filters branch', () => {
    const trie = new TopicTrie<{ filter: string }>()
    const depth = 12
    for (let bits = 0; bits < 2 ** depth; bits++) {
      const text = Array.from({ length: depth }, (_, i) => ((bits >> i) & 1 ? '+' : 'x')).join('/')
      trie.set(text, { filter: text })
    }
    const found: { filter: string }[] = []
    trie.match(Array.from({ length: depth }, () => 'x').join('/'), found)
    assert.equal(found.length, 2 ** depth)
    assert.equal(new Set(found).size, found.length)
  })
})

describe('TrieLocalIndex', () => {
  const client = fc.constantFrom('c1', 'c2', 'c3')
  const change = fc.record({
    client,
    filter,
    qos: fc.constantFrom<0 | 1 | 2>(0, 1, 2),
    isAdded: fc.boolean(),
    topic,
  })

  it('names each matching subscriber once, at its highest QoS, with answers never older than the last change', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), changes => {
        const index = new TrieLocalIndex()
        const clients = new Map(['c1', 'c2', 'c3'].map(name => [name, subscriber(name)]))
        const model = new Map<string, LocalSubscription>()
        for (const { client: name, filter: text, qos, isAdded, topic: asked } of changes) {
          const of = clients.get(name) as LocalDelivery
          const others = [...model.values()].filter(
            held => held.filter === text && held.subscriber !== of,
          ).length
          const key = `${name} ${text}`
          if (isAdded) {
            const added = subscription(of, text, qos)
            assert.equal(index.add(added), others === 0 && !model.has(key))
            model.set(key, added)
          } else {
            assert.equal(index.remove(text, of), model.delete(key) && others === 0)
          }
          assert.equal(index.subscriptionCount, model.size)
          assert.equal(index.filterCount, new Set([...model.values()].map(held => held.filter)).size)
          const expected = new Map<string, number>()
          for (const held of model.values()) {
            if (!topicMatches(held.filter, asked)) continue
            const { clientId } = held.subscriber
            expected.set(clientId, Math.max(expected.get(clientId) ?? 0, held.qos))
          }
          const found = index.match(asked)
          assert.equal(found.length, expected.size)
          for (const match of found) assert.equal(match.qos, expected.get(match.subscriber.clientId))
        }
        assert.deepEqual(
          [...index.filters()].sort(),
          [...new Set([...model.values()].map(held => held.filter))].sort(),
        )
      }),
      { numRuns: 500 },
    )
  })
})

describe('TrieRemoteIndex', () => {
  const node = fc.constantFrom('n1', 'n2')
  const change = fc.oneof(
    fc.record({ what: fc.constantFrom('add', 'remove'), node, filter, topic }),
    fc.record({ what: fc.constantFrom('clear', 'known', 'unknown'), node, filter, topic }),
  )

  it('names the nodes with a matching filter, and those whose interest is unknown', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), changes => {
        const index = new TrieRemoteIndex()
        const filters = new Map<string, Set<string>>()
        const unknown = new Set<string>()
        const heard = (name: string): Set<string> => {
          const held = filters.get(name) ?? new Set<string>()
          if (!filters.has(name)) unknown.add(name)
          filters.set(name, held)
          return held
        }
        for (const { what, node: name, filter: text, topic: asked } of changes) {
          switch (what) {
            case 'add':
              index.add(name, text)
              heard(name).add(text)
              break
            case 'remove':
              index.remove(name, text)
              filters.get(name)?.delete(text)
              break
            case 'clear':
              index.clear(name)
              filters.delete(name)
              unknown.delete(name)
              break
            default:
              index.setKnown(name, what === 'known')
              heard(name)
              if (what === 'known') unknown.delete(name)
              else unknown.add(name)
          }
          const expected = ['n1', 'n2'].filter(
            candidate =>
              unknown.has(candidate) ||
              [...(filters.get(candidate) ?? [])].some(held => topicMatches(held, asked)),
          )
          assert.deepEqual([...index.match(asked)].sort(), expected)
          assert.equal(
            index.filterCount,
            [...filters.values()].reduce((sum, held) => sum + held.size, 0),
          )
        }
      }),
      { numRuns: 500 },
    )
  })
})
