import assert from 'node:assert/strict'
import type { LocalMatch } from '../../src/core/ports/routing.ts'
import type { Publication } from '../../src/core/publication.ts'
import { RetainedDelivery } from '../../src/mqtt/retained-delivery.ts'

const match = {} as LocalMatch

function message(topic: string, absentBytes?: number): Publication {
  return { topic, payload: Buffer.from(absentBytes === undefined ? 'here' : ''), absentBytes } as never
}

describe('RetainedDelivery', () => {
  let delivered: string[]
  let room: number
  let asked: Map<string, (whole: Publication | undefined) => void>
  let delivery: RetainedDelivery

  beforeEach(() => {
    delivered = []
    room = Infinity
    asked = new Map()
    const session = {
      get canTakeRetained(): boolean {
        return room > 0
      },
      deliverRetained({ topic, payload }: Publication): void {
        room--
        delivered.push(`${topic}: ${String(payload)}`)
      },
    }
    const complete = (topic: string, done: (whole: Publication | undefined) => void): void => {
      asked.set(topic, done)
    }
    delivery = new RetainedDelivery(session as never, { complete })
  })

  const come = (topic: string, payload?: string): void => {
    asked.get(topic)?.(
      payload === undefined ? undefined : { ...message(topic), payload: Buffer.from(payload) },
    )
  }

  it('holds up what is behind a payload that is still on its way, and goes on without one that is nowhere', () => {
    delivery.add([message('a'), message('b', 2000), message('c'), message('d', 2000), message('e')], match)
    assert.deepEqual(delivered, ['a: here'])
    come('d')
    assert.deepEqual(delivered, ['a: here'])
    come('b', 'came')
    assert.deepEqual(delivered, ['a: here', 'b: came', 'c: here', 'e: here'])
    assert(delivery.isDone)
  })

  it('asks for a few payloads ahead, and for large ones in their turn only', () => {
    const many = Array.from({ length: 20 }, (_, i) => message(`t/${i}`, 2000))
    delivery.add([...many, message('big', 100_000), message('behind', 2000)], match)
    assert.equal(asked.size, 8)
    for (let i = 0; i < 19; i++) come(`t/${i}`, 'x')
    assert.equal(delivered.length, 19)
    assert.deepEqual([asked.has('big'), asked.size], [false, 20])
    come('t/19', 'x')
    assert.deepEqual([asked.has('big'), asked.has('behind')], [true, true])
  })

  it('asks for nothing while the client takes nothing, and delivers nothing to one that is gone', () => {
    room = 0
    delivery.add([message('a', 2000), message('b', 2000)], match)
    assert.equal(asked.size, 0)
    room = 10
    delivery.pump()
    assert.equal(asked.size, 2)
    delivery.close()
    come('a', 'late')
    come('b', 'late')
    assert.deepEqual(delivered, [])
  })
})
