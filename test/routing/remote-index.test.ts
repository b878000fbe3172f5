import assert from 'node:assert/strict'
import fc from 'fast-check'
import { CountingBloom } from '../../gossip/counting-bloom.ts'
import { HashedRemoteIndex } from '../../routing/remote-index.ts'
import { TopicHasher } from '../../src/core/interest-hash.ts'
import { limits } from '../../src/core/limits.ts'
import type { RemoteNodeInterest } from '../../src/core/ports/routing.ts'
import { hasWildcard, topicMatches } from '../../src/core/topic.ts'

const hasher = new TopicHasher('test')

/** One other node: what it wants, and the counting filter it would keep. */
class Origin {
  readonly filters = new Set<string>()
  readonly groups = new Map<string, number>()
  readonly #node: RemoteNodeInterest
  #bloom: CountingBloom

  constructor(node: RemoteNodeInterest, bits: number) {
    this.#node = node
    this.#bloom = new CountingBloom(bits)
    this.resize(bits)
  }

  /** Builds the filter anew and sends it whole, as after growth. */
  resize(bits: number): void {
    this.#bloom = new CountingBloom(bits)
    for (const filter of this.filters) {
      if (hasWildcard(filter)) continue
      hasher.hash(filter)
      this.#bloom.add(hasher.low, hasher.high)
    }
    this.#node.begin(bits)
    for (let i = 0; i < this.#bloom.checksums.length; i++) this.#node.writeSegment(i, this.#bloom.segment(i))
    this.#node.setKnown(true)
  }

  toggle(filter: string): void {
    const isAdd = !this.filters.delete(filter)
    if (isAdd) this.filters.add(filter)
    if (hasWildcard(filter)) return void this.#node.setPattern('', filter, isAdd ? 1 : 0)
    hasher.hash(filter)
    const { low, high } = hasher
    if (isAdd) {
      this.#bloom.add(low, high)
      this.#node.addExact(low, high)
    } else this.#node.removeExact(low, high, this.#bloom.remove(low, high))
  }

  share(group: string, filter: string, members: number): void {
    const before = this.#node.setPattern(group, filter, members)
    assert.equal(before, this.groups.get(`${group}/${filter}`) ?? 0)
    if (members > 0) this.groups.set(`${group}/${filter}`, members)
    else this.groups.delete(`${group}/${filter}`)
  }

  wants(topic: string): boolean {
    return [...this.filters].some(filter => topicMatches(filter, topic))
  }

  assertChecksums(): void {
    assert.deepEqual(this.#node.checksums, this.#bloom.checksums)
    assert.equal(this.#node.checksum, this.#bloom.checksum)
  }
}

const filters = ['a', 'a/b', 'x/1', 'x/2', '', '+', '#', 'a/+', '+/b', 'x/#', '$SYS/#', '__proto__', 'a//b']
const topics = ['a', 'a/b', 'x/1', 'x/2', 'x/3', '$SYS/x', '__proto__', 'a//b', 'constructor', 'q/b']
const names = ['n0', 'n1', 'n2']

describe('HashedRemoteIndex', () => {
  it('names the nodes that want a topic and those not known, whatever changed before', () => {
    const node = fc.nat(2)
    const change = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({ what: fc.constant('toggle'), node, at: fc.nat(filters.length - 1) }),
      },
      { weight: 2, arbitrary: fc.record({ what: fc.constant('share'), node, at: fc.nat(3) }) },
      { weight: 1, arbitrary: fc.record({ what: fc.constant('resize'), node, at: fc.nat(3) }) },
      { weight: 1, arbitrary: fc.record({ what: fc.constantFrom('clear', 'forget'), node, at: fc.nat(0) }) },
    )
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), changes => {
        const index = new HashedRemoteIndex('test')
        const origins = new Map<string, Origin>()
        const unknown = new Set<string>()
        for (const { what, node, at } of changes) {
          const name = names[node] as string
          let origin = origins.get(name)
          if (origin === undefined || unknown.delete(name)) {
            index.clear(name)
            origin = new Origin(index.node(name), 15 + (node === 2 ? 1 : 0))
            origins.set(name, origin)
          }
          if (what === 'toggle') origin.toggle(filters[at] as string)
          else if (what === 'share') origin.share('g', at % 2 === 0 ? 'a/#' : 'x/1', at)
          else if (what === 'resize') origin.resize(15 + at)
          else if (what === 'clear') {
            index.clear(name)
            origins.delete(name)
          } else {
            index.node(name).setKnown(false)
            unknown.add(name)
          }
          for (const topic of [...topics, ...topics]) {
            const expected = names.filter(
              other => unknown.has(other) || origins.get(other)?.wants(topic) === true,
            )
            assert.deepEqual([...index.match(topic)].sort(), expected, topic)
            const groups = index.matchShared(topic) ?? []
            const members = groups.flatMap(({ filter, members }) =>
              [...members].map(([of, n]) => `${filter} ${of} ${n}`),
            )
            const held = [...origins].flatMap(([of, { groups }]) =>
              [...groups].map(([key, n]) => ({ filter: key.slice(2), text: `${key.slice(2)} ${of} ${n}` })),
            )
            assert.deepEqual(
              members.sort(),
              held
                .filter(({ filter }) => topicMatches(filter, topic))
                .map(({ text }) => text)
                .sort(),
            )
          }
          for (const [other, held] of origins) if (!unknown.has(other)) held.assertChecksums()
        }
      }),
      { numRuns: 200 },
    )
  }).timeout(60_000)

  it('keeps what filters that went had in common with those that stay', () => {
    const index = new HashedRemoteIndex('test')
    const origin = new Origin(index.node('n'), 15)
    new Origin(index.node('wider'), 17)
    for (let i = 0; i < 5000; i++) origin.toggle(`site/${i}`)
    for (let i = 0; i < 5000; i += 2) origin.toggle(`site/${i}`)
    for (let i = 1; i < 5000; i += 2) assert.deepEqual(index.match(`site/${i}`), ['n'])
    origin.assertChecksums()
    for (let i = 1; i < 5000; i += 2) origin.toggle(`site/${i}`)
    for (let i = 0; i < 5000; i++) assert.deepEqual(index.match(`site/${i}`), [])
    origin.assertChecksums()
  })

  it('routes among 1,024 nodes, and refuses more', () => {
    const index = new HashedRemoteIndex('test')
    const origins = Array.from(
      { length: limits.clusterNodesMax },
      (_, i) => new Origin(index.node(`n${i}`), 15),
    )
    origins.forEach((origin, i) => {
      origin.toggle(`of/${i}`)
      if (i % 100 === 0) origin.toggle('some/+')
      if (i % 2 === 0) origin.toggle('half')
    })
    for (const i of [0, 31, 32, 500, 1023]) assert.deepEqual(index.match(`of/${i}`), [`n${i}`])
    assert.equal(index.match('half').length, 512)
    assert.equal(index.match('some/x').length, 11)
    assert.deepEqual(index.match('nowhere'), [])
    assert.equal(index.tableBytes, (32 * 4) << 15)
    assert.throws(() => index.node('one-more'), /more than 1024 nodes/)
    for (let i = 0; i < 1000; i++) index.clear(`n${i}`)
    assert.deepEqual(
      [...index.match('half')].sort(),
      ['n1000', ...[...Array(11).keys()].map(i => `n${1002 + 2 * i}`)].sort(),
    )
    index.node('late')
    assert.deepEqual(index.match('nowhere'), ['late'])
  })

  it('gives the slot of a node that left to another without its filters, and the memory back', () => {
    const index = new HashedRemoteIndex('test')
    const stays = new Origin(index.node('stays'), 16)
    stays.toggle('kept')
    for (let round = 0; round < 40; round++) {
      const origin = new Origin(index.node(`round-${round}`), 16)
      assert.deepEqual(index.match(`of/${round - 1}`), [])
      assert.deepEqual(index.match('kept'), ['stays'])
      origin.toggle(`of/${round}`)
      origin.toggle('wild/#')
      assert.deepEqual(index.match(`of/${round}`), [`round-${round}`])
      index.clear(`round-${round}`)
      assert.deepEqual(index.match(`of/${round}`), [])
      assert.deepEqual(index.match('wild/x'), [])
    }
    assert.equal(index.tableBytes, 4 << 16)
    index.clear('stays')
    assert.equal(index.tableBytes, 0)
  })

  it('has no node known whose filter is not whole, and none written after it was cleared', () => {
    const index = new HashedRemoteIndex('test')
    const node = index.node('n')
    assert.throws(() => node.setKnown(true), /not complete/)
    node.begin(16)
    node.writeSegment(0, new Uint32Array(1024))
    assert.throws(() => node.setKnown(true), /not complete/)
    assert.deepEqual(index.match('anything'), ['n'])
    index.clear('n')
    assert.throws(() => node.setKnown(false), /was cleared/)
    assert.deepEqual(index.match('anything'), [])
  })

  it('bounds the work of a match against adversarial wildcards, and then misses nobody', () => {
    const index = new HashedRemoteIndex('test')
    const adversary = new Origin(index.node('adversary'), 15)
    const victim = new Origin(index.node('victim'), 15)
    const other = new Origin(index.node('other'), 15)
    const depth = 13
    for (let bits = 0; bits < 2 ** depth; bits++) {
      const levels = Array.from({ length: depth }, (_, i) => ((bits >> i) & 1 ? '+' : 'x'))
      adversary.toggle(`${levels.join('/')}/never/#`)
    }
    victim.toggle(`${'x/'.repeat(depth - 1)}+/+`)
    other.toggle('exact/only')
    const topic = `${'x/'.repeat(depth)}y`
    for (let i = 0; i < 1000; i++) assert.ok(index.match(`${topic}${i}`).includes('victim'))
    assert.ok(index.cutMatches >= 1000)
    assert.ok(!index.match(`${topic}0`).includes('other'))
    assert.deepEqual(index.match('exact/only'), ['other'])
    victim.share('g', 'x/#', 2)
    assert.equal(index.matchShared(topic), undefined)
    assert.equal(index.matchShared('x/y')?.length, 1)
  })

  it('remembers no answer past the change that concerns it', () => {
    const index = new HashedRemoteIndex('test')
    const a = new Origin(index.node('a'), 15)
    const b = new Origin(index.node('b'), 15)
    const ask = (): readonly string[] =>
      [...index.match('t'), ...[index.match('t')].flat()].slice(0, index.match('t').length)
    for (const [origin, filter] of [
      [a, 't'],
      [b, '+'],
      [b, 't'],
      [a, '#'],
    ] as const) {
      origin.toggle(filter)
      assert.ok(ask().includes(origin === a ? 'a' : 'b'))
    }
    a.toggle('t')
    assert.deepEqual([...ask()].sort(), ['a', 'b'])
    a.toggle('#')
    assert.deepEqual(ask(), ['b'])
    b.toggle('+')
    assert.deepEqual(ask(), ['b'])
    b.toggle('t')
    assert.deepEqual(ask(), [])
  })
})
