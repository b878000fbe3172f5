import assert from 'node:assert/strict'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import type { Acceptance } from '../../src/core/ports/routing.ts'
import type { WillRecord } from '../../src/core/ports/session-journal.ts'
import type { Publication } from '../../src/core/publication.ts'
import { WillScheduler } from '../../src/mqtt/will-scheduler.ts'
import { willRecord, type Will } from '../../src/mqtt/will.ts'

const token = { epoch: 1, revision: 7 }
const id = { incarnation: 5, number: 9 }

function will(delaySeconds: number, retain = false): Will {
  const publication = {
    topic: 'gone/x',
    payload: Uint8Array.of(1),
    qos: 1 as const,
    retain,
    properties: undefined,
    publisher: 'x',
    id,
  }
  return { publication, messageExpirySeconds: 30, delaySeconds }
}

/** What the scheduler does to its surroundings, in order. */
class Surroundings {
  readonly clock = new VirtualClock()
  readonly published: Publication[] = []
  readonly retained: string[] = []
  /** As `due <ms>` or `none`. */
  readonly kept: string[] = []
  journal = { appended: 0, committed: 0 }
  acceptance: Acceptance | undefined
  #onCommitted: () => void = () => undefined
  readonly scheduler: WillScheduler

  constructor() {
    this.scheduler = new WillScheduler(
      {
        clock: this.clock,
        stats: { willsPublished: 0 },
        options: { retainAvailable: true },
        retained: { publish: ({ topic }: Publication) => this.retained.push(topic) },
        router: {
          publish: (publication: Publication, acceptance: Acceptance | undefined) => {
            this.published.push(publication)
            this.acceptance = acceptance
            acceptance?.expect()
          },
        },
        ownership: {
          setWill: (_: string, __: unknown, record: WillRecord | undefined, dueAtMs?: number) => {
            this.kept.push(record === undefined ? 'none' : `due ${dueAtMs}`)
            return Promise.resolve(true)
          },
        },
        journal: Object.assign(this.journal, {
          onCommitted: (listener: () => void) => (this.#onCommitted = listener),
        }),
      } as unknown as ConstructorParameters<typeof WillScheduler>[0],
      () => false,
    )
  }

  commit(upTo: number): void {
    this.journal.committed = upTo
    this.#onCommitted()
  }
}

describe('WillScheduler', () => {
  const owner = { clientId: 'x', token, expiryIntervalSeconds: 100, will: undefined, keepWill() {} }

  it('publishes under the id of the will, then gives up what is kept elsewhere', () => {
    const around = new Surroundings()
    around.scheduler.connectionLost(owner, will(0))
    assert.deepEqual(around.published[0]?.id, id)
    assert.deepEqual(around.kept, ['none'])
  })

  it('says when a delayed will is due, and gives it up once it was published', async () => {
    const around = new Surroundings()
    const startedAtMs = around.clock.wallNow()
    around.scheduler.connectionLost(owner, will(20))
    assert.deepEqual(around.kept, [`due ${startedAtMs + 20_000}`])
    await around.clock.advance(19_999)
    assert.equal(around.published.length, 0)
    await around.clock.advance(1)
    assert.deepEqual(around.published[0]?.id, id)
    assert.equal(around.published[0]?.expiresAtMs, startedAtMs + 50_000)
    assert.deepEqual(around.kept.slice(1), ['none'])
  })

  it('is due when the session ends, if that is before the delay [MQTT-3.1.3-9]', () => {
    const around = new Surroundings()
    around.scheduler.connectionLost(owner, will(20_000))
    assert.deepEqual(around.kept, [`due ${around.clock.wallNow() + 100_000}`])
  })

  it('gives it up when the client went in peace', () => {
    const around = new Surroundings()
    around.scheduler.discard(owner)
    assert.deepEqual(around.kept, ['none'])
    assert.equal(around.published.length, 0)
  })

  it('leaves what is kept alone when a later connection has replaced it', () => {
    const around = new Surroundings()
    around.scheduler.connectionLost(owner, will(0), true)
    assert.equal(around.published.length, 1)
    around.scheduler.connectionLost(owner, will(10), true)
    assert.deepEqual(around.kept, [])
  })

  it('fires nothing after it was cancelled', async () => {
    const around = new Surroundings()
    around.scheduler.connectionLost(owner, will(20))
    around.scheduler.cancel('x')
    await around.clock.advance(60_000)
    assert.equal(around.published.length, 0)
  })

  it('publishes for the leader, retained included, and says when all have it and it is on disk', async () => {
    const around = new Surroundings()
    let isDone = false
    around.journal.appended = 3
    const done = around.scheduler.publishFor(willRecord(will(20, true))).then(() => (isDone = true))
    assert.deepEqual(around.published[0]?.id, id)
    assert.deepEqual(around.retained, ['gone/x'])
    await around.clock.advance(1)
    around.acceptance?.settle()
    await around.clock.advance(1)
    assert.equal(isDone, false)
    around.commit(3)
    await done
  })
})
