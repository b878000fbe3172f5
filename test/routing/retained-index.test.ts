import assert from 'node:assert/strict'
import fc from 'fast-check'
import { TopicTreeRetainedIndex } from '../../routing/retained-index.ts'
import type { Publication } from '../../src/core/publication.ts'
import { topicMatches } from '../../src/core/topic.ts'

const level = fc.constantFrom('a', 'b', '', '$SYS', '$', '__proto__', 'constructor', 'é')
const topic = fc
  .array(level, { minLength: 1, maxLength: 4 })
  .map(levels => levels.join('/'))
  .filter(text => text.length > 0)
const filter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { maxLength: 4 }), fc.boolean())
  .map(([levels, isOpen]) => [...levels, ...(isOpen ? ['#'] : [])].join('/'))
  .filter(text => text.length > 0)

describe('TopicTreeRetainedIndex', () => {
  it('finds what the definition matches, each once, after any changes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(topic, fc.nat(4)), { maxLength: 40 }),
        fc.array(filter, { maxLength: 10 }),
        (changes, filters) => {
          const index = new TopicTreeRetainedIndex()
          const model = new Map<string, Publication>()
          for (const [name, payloadBytes] of changes) {
            // A payload of 0 bytes stands for a deletion.
            if (payloadBytes === 0) {
              assert.equal(index.delete(name), model.delete(name))
            } else {
              const publication = retained(name, payloadBytes)
              model.set(name, publication)
              index.set(publication)
            }
          }
          for (const [name] of changes) assert.equal(index.get(name), model.get(name))
          for (const text of filters) {
            assert.deepEqual(
              found(index, text).sort(),
              [...model.keys()].filter(name => topicMatches(text, name)).sort(),
            )
          }
          assert.equal(index.size, model.size)
          let byteCount = 0
          for (const { topic: name, payload } of model.values())
            byteCount += Buffer.byteLength(name) + payload.length
          assert.equal(index.byteCount, byteCount)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('does not match topics that begin with $ with a leading wildcard [MQTT-4.7.2-1]', () => {
    const index = indexOf('$SYS/a', 'x/$SYS', 'x')
    assert.deepEqual(found(index, '#').sort(), ['x', 'x/$SYS'])
    assert.deepEqual(found(index, '+/a'), [])
    assert.deepEqual(found(index, '+/+'), ['x/$SYS'])
    assert.deepEqual(found(index, '$SYS/#'), ['$SYS/a'])
    assert.deepEqual(found(index, '$SYS/+'), ['$SYS/a'])
  })

  it('stops as soon as the visitor has enough', () => {
    const index = indexOf('a/1', 'a/2', 'a/3', 'b/1')
    for (const text of ['#', 'a/+', '+/+']) {
      let visits = 0
      index.match(text, () => ++visits < 2)
      assert.equal(visits, 2, text)
    }
  })

  it('counts properties, and replaces what it counted', () => {
    const index = indexOf('a')
    index.set({ ...retained('a', 3), properties: Uint8Array.of(1, 2) })
    assert.equal(index.byteCount, 1 + 3 + 2)
    assert.equal(index.size, 1)
    index.delete('a')
    assert.deepEqual([index.byteCount, index.size], [0, 0])
  })

  it('takes topics of as many levels as a packet can hold', () => {
    const deep = '/'.repeat(65_534)
    const index = indexOf(deep)
    assert.deepEqual(found(index, '#'), [deep])
    assert.deepEqual(found(index, `${'+/'.repeat(65_534)}+`), [deep])
    assert.equal(index.delete(deep), true)
    assert.deepEqual(found(index, '#'), [])
  })

  it('looks at no other branch than the filter names', () => {
    const index = new TopicTreeRetainedIndex()
    for (let i = 0; i < 100_000; i++) index.set(retained(`devices/${i}/state`, 1))
    // Walking all of them each time would take minutes.
    let count = 0
    for (let i = 0; i < 100_000; i++) count += found(index, `devices/${i}/+`).length
    assert.equal(count, 100_000)
  })
})

function retained(topic: string, payloadBytes: number): Publication {
  return {
    topic,
    payload: new Uint8Array(payloadBytes),
    qos: 0,
    retain: true,
    properties: undefined,
    expiresAtMs: undefined,
    publisher: '',
  }
}

function indexOf(...topics: string[]): TopicTreeRetainedIndex {
  const index = new TopicTreeRetainedIndex()
  for (const name of topics) index.set(retained(name, 1))
  return index
}

function found(index: TopicTreeRetainedIndex, filter: string): string[] {
  const topics: string[] = []
  index.match(filter, publication => topics.push(publication.topic) > 0)
  return topics
}
