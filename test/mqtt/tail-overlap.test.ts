import assert from 'node:assert/strict'
import { RESERVED_FROM, type Publication } from '../../src/core/publication.ts'
import type { QueuedMessage } from '../../src/mqtt/delivery-queue.ts'
import { TailOverlap } from '../../src/mqtt/tail-overlap.ts'

function published(number: number, topic = 't/1', incarnation = 1): Publication {
  return {
    topic,
    payload: new Uint8Array(0),
    qos: 1,
    retain: false,
    properties: undefined,
    expiresAtMs: undefined,
    publisher: 'p',
    id: { incarnation, number },
  }
}

function waiting(publication: Publication | undefined): QueuedMessage {
  return {
    position: 0,
    qos: 1,
    retain: false,
    subscriptionIdentifiers: [],
    publication,
    duplicate: false,
    storeSequence: 0,
  }
}

describe('What came directly behind a tail', () => {
  const overlap = new TailOverlap(
    [published(7), published(5), published(9, 't/2'), published(RESERVED_FROM, 't/3'), undefined].map(
      waiting,
    ),
  )

  it('comes before what the same node published later, of the same topic', () => {
    assert.deepEqual([overlap.isBehind(published(6)), overlap.isBehind(published(8))], [true, true])
  })

  it('comes after what was published before', () => {
    assert.deepEqual([overlap.isBehind(published(4)), overlap.isBehind(published(8, 't/2'))], [false, false])
  })

  it('says nothing of other nodes and topics, nor of numbers that are given out of order', () => {
    const others = [published(8, 't/1', 2), published(8, 't/4'), published(RESERVED_FROM + 1, 't/3')]
    assert.deepEqual(
      others.map(other => overlap.isBehind(other)),
      [false, false, false],
    )
    assert.equal(overlap.isBehind(published(RESERVED_FROM + 1)), false)
  })
})
