import assert from 'node:assert/strict'
import { RetainedFetches } from '../../routing/retained-fetches.ts'
import { decodeRetainedFrame } from '../../routing/retained-frame-codec.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import { limits } from '../../src/core/limits.ts'
import type { RetainedEntry } from '../../src/core/ports/retained.ts'
import { silentLogger } from '../support/silent-logger.ts'

const stamp = { time: 5, incarnation: 1 }

function entry(topic: string, absentBytes = 4): RetainedEntry {
  const payload = new Uint8Array(0)
  const rest = { qos: 1, retain: true, properties: undefined, expiresAtMs: undefined, publisher: '' } as const
  return { topic, payload, ...rest, stamp, absentBytes }
}

describe('RetainedFetches', () => {
  let clock: VirtualClock
  let asked: { to: string; topic: string }[]
  let linked: Set<string>
  let fetches: RetainedFetches
  let answers: (string | undefined)[]
  const take = (payload: Uint8Array | undefined): void => void answers.push(payload && String(payload))
  const payload = Buffer.from('four')

  beforeEach(() => {
    clock = new VirtualClock()
    asked = []
    answers = []
    linked = new Set(['a', 'b', 'c'])
    const send = (to: string, _channel: string, bytes: Uint8Array): boolean => {
      const frame = decodeRetainedFrame(bytes)
      assert(frame?.type === 'fetch')
      assert.deepEqual(frame.stamp, stamp)
      if (linked.has(to)) asked.push({ to, topic: frame.topic })
      return linked.has(to)
    }
    fetches = new RetainedFetches({ transport: { send }, clock, logger: silentLogger }, () => ['a', 'b', 'c'])
  })

  it('asks once for a message, however many wait for it', () => {
    for (let i = 0; i < 5; i++) fetches.fetch(entry('t'), true, take)
    assert.deepEqual(asked, [{ to: 'a', topic: 't' }])
    assert(fetches.answered('a', 't', stamp, payload))
    assert.deepEqual(answers, Array(5).fill('four'))
    assert.deepEqual(fetches.stats, { found: 1, missing: 0, undelivered: 0 })
  })

  it('asks the next node when one has it not, is silent, loses its link, or has none', async () => {
    linked.delete('b')
    fetches.fetch(entry('t'), false, take)
    await clock.advance(limits.retainedAnswerMs)
    assert.deepEqual(
      asked.map(({ to }) => to),
      ['a', 'c'],
    )
    fetches.linkDown('c')
    assert.deepEqual(answers, [undefined])
    fetches.fetch(entry('u'), false, take)
    fetches.answered('a', 'u', stamp, undefined)
    assert.deepEqual(asked.at(-1), { to: 'c', topic: 'u' })
  })

  it('takes a late answer, and none from a node that was not asked', async () => {
    fetches.fetch(entry('t'), true, take)
    fetches.answered('b', 't', stamp, payload)
    assert.deepEqual(answers, [])
    await clock.advance(limits.retainedAnswerMs)
    fetches.answered('a', 't', stamp, payload)
    assert.deepEqual(answers, ['four'])
  })

  it('refuses a payload of another length, and does not hand it on', () => {
    fetches.fetch(entry('t'), true, take)
    assert.equal(fetches.answered('a', 't', stamp, Buffer.from('longer')), false)
    assert.equal(fetches.answered('a', 't', stamp, Buffer.from('')), false)
    assert.deepEqual(answers, [])
  })

  it('gives up at once when everybody said no, and counts it when a subscriber waited', () => {
    for (const isPatient of [false, true]) {
      fetches.fetch(entry('t'), isPatient, take)
      for (const nodeId of ['a', 'b', 'c']) fetches.answered(nodeId, 't', stamp, undefined)
    }
    assert.deepEqual(answers, [undefined, undefined])
    assert.deepEqual(fetches.stats, { found: 0, missing: 2, undelivered: 1 })
  })

  it('tries again for a subscriber while some node could not be asked, for a time', async () => {
    linked.clear()
    fetches.fetch(entry('t'), true, take)
    fetches.fetch(entry('u'), true, take)
    await clock.advance(1000)
    linked.add('b')
    await clock.advance(600)
    assert.deepEqual(
      asked.map(({ topic }) => topic),
      ['t', 'u'],
    )
    fetches.answered('b', 't', stamp, payload)
    await clock.advance(limits.retainedFetchMs + 2 * limits.retainedAnswerMs)
    assert.deepEqual(answers, ['four', undefined])
  })

  it('bounds what is under way, in number and in bytes, and lets one through that is larger than that', () => {
    for (let i = 0; i < limits.retainedFetchesMax + 10; i++) fetches.fetch(entry(`t/${i}`), true, take)
    assert.equal(asked.length, limits.retainedFetchesMax)
    for (let i = 0; i < 10; i++) fetches.answered('a', `t/${i}`, stamp, payload)
    assert.equal(asked.length, limits.retainedFetchesMax + 10)
    for (let i = 10; i < limits.retainedFetchesMax + 10; i++) fetches.answered('a', `t/${i}`, stamp, payload)
    const half = limits.retainedFetchBytesMax / 2
    asked = []
    for (const topic of ['x', 'y', 'z']) fetches.fetch(entry(topic, half), true, take)
    fetches.fetch(entry('huge', limits.retainedFetchBytesMax + 1), true, take)
    assert.equal(asked.length, 2)
    for (const topic of ['x', 'y', 'z']) fetches.answered('a', topic, stamp, new Uint8Array(half))
    assert.deepEqual(
      asked.map(({ topic }) => topic),
      ['x', 'y', 'z', 'huge'],
    )
  })

  it('fails thousands that wait when the last node goes, without recursion', async () => {
    for (let i = 0; i < 20_000; i++) fetches.fetch(entry(`t/${i}`), false, take)
    linked.clear()
    for (const nodeId of ['a', 'b', 'c']) fetches.linkDown(nodeId)
    await clock.advance(limits.retainedAnswerMs * 4)
    assert.equal(answers.length, 20_000)
  })
})
