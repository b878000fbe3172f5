import assert from 'node:assert/strict'
import { TopicTrie } from '../../routing/topic-trie.ts'

const x = (levels: number): string => new Array<string>(levels).fill('x').join('/')

/** All filters of `+` and `x` in so many levels, with `tail` behind each. */
function combinations(levels: number, tail = ''): string[] {
  return Array.from({ length: 2 ** levels }, (_, bits) => {
    const names = Array.from({ length: levels }, (__, level) => ((bits >> level) & 1 ? '+' : 'x'))
    return names.join('/') + tail
  })
}

/** What `sessions.wildcardLevelsMax` counts. */
function levelsBehindPlus(filters: readonly string[]): number {
  return filters.reduce((sum, filter) => {
    const levels = filter.split('/')
    const first = levels.indexOf('+')
    return first === -1 ? sum : sum + levels.length - first
  }, 0)
}

describe('TopicTrie', () => {
  const sets = [
    { shape: 'everything of + and x', filters: combinations(10), topic: x(10) },
    { shape: 'long ways that end in nothing', filters: combinations(6, `/${x(60)}/end`), topic: x(67) },
    {
      shape: 'ways that part at each level',
      filters: Array.from({ length: 60 }, (_, at) => `${x(at + 1)}/+/${x(60)}/end`),
      topic: x(120),
    },
    {
      shape: 'ten thousand of one device each',
      filters: Array.from({ length: 10_000 }, (_, at) => `devices/${at}/+/state`),
      topic: 'devices/77/lamp/state',
      visits: 5,
    },
  ]
  for (const { shape, filters, topic, visits } of sets) {
    it(`visits no more nodes than there are levels from the first + on, and in the topic: ${shape}`, () => {
      const trie = new TopicTrie<{ filter: string }>(1)
      for (const filter of filters) trie.set(filter, { filter })
      const bound = visits ?? levelsBehindPlus(filters) + topic.split('/').length + 1
      const all: { filter: string }[] = []
      assert(trie.match(topic, all))
      const found: { filter: string }[] = []
      assert(trie.match(topic, found, bound), `more than ${bound} nodes`)
      assert.equal(found.length, all.length)
    })
  }
})
