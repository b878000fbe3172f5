import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { LocalDelivery, LocalSubscription } from '../../src/core/ports/routing.ts'
import { topicMatches } from '../../src/core/topic.ts'
import { TrieLocalIndex } from '../../routing/local-index.ts'
import { TopicTrie } from '../../routing/topic-trie.ts'

const SECRET = 0x5eed

const level = fc.constantFrom('a', 'b', '', '$SYS', '__proto__', 'constructor', 'é')
const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map(levels => levels.join('/'))
const filter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { minLength: 0, maxLength: 4 }), fc.boolean())
  .filter(([levels, isOpen]) => isOpen || levels.length > 0)
  .map(([levels, isOpen]) => [...levels, ...(isOpen ? ['#'] : [])].join('/'))
  .filter(text => text.length > 0)

function subscriber(clientId: string): LocalDelivery {
  return { clientId, canTakeShared: true, deliver() {} }
}

function subscription(
  of: LocalDelivery,
  text: string,
  qos: 0 | 1 | 2,
  identifier = 0,
  group?: string,
): LocalSubscription {
  return {
    filter: text,
    group,
    qos,
    noLocal: false,
    retainAsPublished: false,
    subscriptionIdentifiers: identifier === 0 ? [] : [identifier],
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
          const trie = new TopicTrie<{ filter: string }>(SECRET)
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
    const trie = new TopicTrie<{ filter: string }>(SECRET)
    const deep = Array.from({ length: 30_000 }, () => '+').join('/')
    trie.set(deep, { filter: 'deep' })
    trie.set('#', { filter: 'all' })
    const found: { filter: string }[] = []
    trie.match(Array.from({ length: 30_000 }, () => 'x').join('/'), found)
    assert.deepEqual(found.map(value => value.filter).sort(), ['all', 'deep'])
  })

  it('visits each of its nodes at most once, however the filters branch', () => {
    const trie = new TopicTrie<{ filter: string }>(SECRET)
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
    group: fc.constantFrom(undefined, undefined, 'g', 'h'),
    topic,
  })

  it('names each matching subscriber once, at its highest QoS, with answers never older than the last change', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), changes => {
        const index = new TrieLocalIndex()
        const clients = new Map(['c1', 'c2', 'c3'].map(name => [name, subscriber(name)]))
        const model = new Map<string, LocalSubscription>()
        let identifier = 0
        for (const { client: name, filter: text, qos, isAdded, group, topic: asked } of changes) {
          const of = clients.get(name) as LocalDelivery
          const key = `${name} ${group ?? ''} ${text}`
          // Of the same filter and group: all others of a filter, members of a group.
          const held = [...model.values()].filter(value => value.filter === text && value.group === group)
          if (isAdded) {
            const added = subscription(of, text, qos, ++identifier, group)
            assert.equal(index.add(added), group === undefined ? held.length === 0 : !model.has(key))
            model.set(key, added)
          } else {
            const isLast = group !== undefined || held.length === 1
            assert.equal(index.remove(text, group, of), model.delete(key) && isLast)
          }
          assert.equal(index.subscriptionCount, model.size)
          const distinct = [...model.values()].map(held => `${held.group ?? ''} ${held.filter}`)
          assert.equal(index.filterCount, new Set(distinct).size)
          const matching = [...model.values()].filter(held => topicMatches(held.filter, asked))
          const found = index.match(asked)
          const ordinary = matching.filter(held => held.group === undefined)
          assert.equal(found.length, new Set(ordinary.map(held => held.subscriber)).size)
          for (const match of found) {
            const own = ordinary.filter(held => held.subscriber === match.subscriber)
            assert.equal(match.qos, Math.max(...own.map(held => held.qos)))
            assert.deepEqual(
              [...match.subscriptionIdentifiers].sort(),
              own.flatMap(held => held.subscriptionIdentifiers).sort(),
            )
          }
          const shared = matching.filter(held => held.group !== undefined)
          const groups = index.matchShared(asked)
          assert.equal(groups.length, new Set(shared.map(held => `${held.group} ${held.filter}`)).size)
          for (const members of groups) assert.ok(shared.includes(members.next() as LocalSubscription))
        }
        const ordinary = [...model.values()].filter(held => held.group === undefined)
        assert.deepEqual([...index.filters()].sort(), [...new Set(ordinary.map(held => held.filter))].sort())
        const members = new Map<string, number>()
        for (const held of model.values()) {
          if (held.group === undefined) continue
          const name = `${held.group} ${held.filter}`
          members.set(name, (members.get(name) ?? 0) + 1)
        }
        const groups = [...index.groups()]
        assert.deepEqual(
          new Map(groups.map(({ group, filter, members }) => [`${group} ${filter}`, members])),
          members,
        )
        for (const { group, filter, members } of groups)
          assert.equal(index.memberCount(group, filter), members)
      }),
      { numRuns: 500 },
    )
  })
})

describe('a shared subscription', () => {
  it('goes to each connected member in turn, and to others only when none is connected', () => {
    const index = new TrieLocalIndex()
    const members = ['a', 'b', 'c'].map(clientId => ({ clientId, canTakeShared: true, deliver() {} }))
    for (const member of members) index.add(subscription(member, 't/+', 1, 0, 'g'))
    const [group] = index.matchShared('t/x')
    const take = (): string | undefined => group?.next()?.subscriber.clientId
    assert.deepEqual([take(), take(), take(), take()], ['a', 'b', 'c', 'a'])
    Object.assign(members[1] ?? {}, { canTakeShared: false })
    assert.deepEqual([take(), take(), take()], ['c', 'a', 'c'])
    for (const member of members) member.canTakeShared = false
    assert.equal(new Set([take(), take(), take()]).size, 3)
  })

  it('goes on in turn, leaving nobody out and nobody twice, when members come and go', () => {
    const index = new TrieLocalIndex()
    const members = new Map(['b', 'd', 'f'].map(clientId => [clientId, subscriber(clientId)]))
    const join = (of: LocalDelivery): boolean => index.add(subscription(of, 't', 1, 0, 'g'))
    for (const member of members.values()) join(member)
    const take = (): string | undefined => index.matchShared('t')[0]?.next()?.subscriber.clientId
    assert.deepEqual([take(), take()], ['b', 'd'])
    join(subscriber('a'))
    assert.equal(take(), 'f')
    join(subscriber('c'))
    assert.deepEqual([take(), take(), take()], ['a', 'b', 'c'])
    index.remove('t', 'g', members.get('b') as LocalDelivery)
    assert.deepEqual([take(), take(), take()], ['d', 'f', 'a'])
  })

  describe('unevenness', () => {
    const clientIds = ['a', 'b', 'c', 'd']
    let index: TrieLocalIndex
    let members: { readonly clientId: string; canTakeShared: boolean; deliver(): void }[]
    beforeEach(() => {
      index = new TrieLocalIndex()
      members = clientIds.map(clientId => ({ clientId, canTakeShared: true, deliver() {} }))
      for (const member of members) index.add(subscription(member, 't', 1, 0, 'g'))
    })
    const give = (count: number, ticket?: (i: number) => number): void => {
      const [group] = index.matchShared('t')
      for (let i = 0; i < count; i++) group?.next(ticket?.(i))
    }

    it('is 1 in turn, and the number of members when one gets everything', () => {
      give(1000)
      assert.ok(Math.abs(index.sharedUnevenness() - 1) < 0.05, String(index.sharedUnevenness()))
      give(10_000, () => 2)
      assert.ok(index.sharedUnevenness() > 3.9 && index.sharedUnevenness() <= 4)
      give(10_000, i => (i % 10 < 5 ? 0 : i))
      const half = index.sharedUnevenness()
      assert.ok(half > 2 && half < 3, `one of four gets half and its share of the rest: ${half}`)
    })

    it('goes by what was given lately, in a group of any size', () => {
      for (let i = 0; i < 300; i++) index.add(subscription(subscriber(`m${i}`), 't', 1, 0, 'g'))
      give(100_000, () => 7)
      assert.ok(index.sharedUnevenness() > 300)
      give(200_000)
      assert.ok(index.sharedUnevenness() < 1.3, String(index.sharedUnevenness()))
    })

    it('leaves out members that cannot take a message', () => {
      for (const member of members.slice(0, 2)) member.canTakeShared = false
      give(1000)
      assert.ok(Math.abs(index.sharedUnevenness() - 1) < 0.05, 'two share it')
      for (const member of members.slice(0, 3)) member.canTakeShared = false
      assert.equal(index.sharedUnevenness(), 0, 'there is nobody to share it with')
    })

    it('is not told from a few messages, nor from those before a member came or went', () => {
      give(10, () => 0)
      assert.equal(index.sharedUnevenness(), 0)
      give(1000, () => 0)
      assert.ok(index.sharedUnevenness() > 3.9)
      index.remove('t', 'g', members[0] as LocalDelivery)
      assert.equal(index.sharedUnevenness(), 0)
      give(300)
      assert.ok(Math.abs(index.sharedUnevenness() - 1) < 0.05)
    })

    it('is the highest of all shared subscriptions', () => {
      give(1000, () => 0)
      for (const member of members) index.add(subscription(member, 'u/+', 1, 0, 'g'))
      for (let i = 0; i < 1000; i++) index.matchShared('u/1')[0]?.next()
      assert.ok(index.sharedUnevenness() > 3.9)
    })
  })
})
