import assert from 'node:assert/strict'
import type { IConnectPacket } from 'mqtt-packet'
import type { ClaimRequest } from '../../src/core/ports/session-ownership.ts'
import type { WillRecord } from '../../src/core/ports/session-journal.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import { MqttHarness } from './support/mqtt-harness.ts'

const kept = (sessionExpiryInterval: number): Partial<IConnectPacket> => ({
  clean: false,
  properties: { sessionExpiryInterval },
})

const withWill = (topic: string, willDelayInterval: number): Partial<IConnectPacket> => ({
  ...kept(100),
  will: { topic, payload: Buffer.from('x'), qos: 1, retain: false, properties: { willDelayInterval } },
})

/** One whose journal commits when it is told to. */
function slowHarness(): { slow: MqttHarness; commit: () => void } {
  const due: (() => void)[] = []
  const store = new MemoryStore({ clock: { defer: task => void due.push(task) } })
  const commit = (): void => {
    for (const task of due.splice(0)) task()
  }
  return { slow: new MqttHarness({}, store), commit }
}

describe('SessionEstablisher', () => {
  let harness: MqttHarness
  beforeEach(() => {
    harness = new MqttHarness()
  })

  it('claims a session again where CONNECT brings another interval, and only there', async () => {
    const connect = async (sessionExpiryInterval: number): Promise<void> => {
      const client = await harness.connect('x', kept(sessionExpiryInterval))
      assert.equal(client.of('connack').length, 1)
    }
    await connect(100)
    await connect(100)
    assert.deepEqual(harness.ownership.claimed, ['x'])
    await connect(200)
    assert.deepEqual(harness.ownership.claimed, ['x', 'x'])
  })

  it('ends a session in time whose client was replaced by a CONNECT that went before it was answered [MQTT-3.1.2-23]', async () => {
    await harness.connect('x', kept(5))
    harness.ownership.isHolding = true
    const later = await harness.connect('x', kept(10))
    later.stream.destroy()
    harness.ownership.answerHeld()
    await harness.settle()
    assert.equal(harness.broker.sessions.sessionCount, 1)
    await harness.clock.advance(12_000)
    assert.equal(harness.broker.sessions.sessionCount, 0)
  })

  it('ends a session in time of which two CONNECTs came to nothing [MQTT-3.1.2-23]', async () => {
    const { slow, commit } = slowHarness()
    slow.ownership.isHolding = true
    const first = await slow.connect('x', kept(5))
    slow.ownership.answerHeld()
    await slow.settle()
    const second = await slow.connect('x', kept(10))
    assert.equal(first.isClosed, true)
    second.stream.destroy()
    slow.ownership.answerHeld()
    commit()
    await slow.settle()
    assert.deepEqual([...first.received, ...second.received], [])
    assert.equal(slow.broker.sessions.sessionCount, 1)
    await slow.clock.advance(12_000)
    assert.equal(slow.broker.sessions.sessionCount, 0)
  })

  it('publishes the will of a client that went after its session was kept and before CONNACK [MQTT-3.1.2-8]', async () => {
    const { slow, commit } = slowHarness()
    const client = await slow.connect('x', withWill('gone', 0))
    client.stream.destroy()
    commit()
    await slow.settle()
    assert.equal(slow.broker.stats.willsPublished, 1)
    assert.equal(slow.broker.sessions.moves.willOf('x'), undefined)
  })

  describe('what is kept elsewhere should the node die', () => {
    let elsewhere: { will: string | undefined; isDue: boolean; seconds: number }

    beforeEach(() => {
      const { ownership } = harness
      elsewhere = { will: undefined, isDue: false, seconds: 0 }
      const claim = ownership.claim.bind(ownership)
      const setWill = (will: WillRecord | undefined, isDue: boolean): void => {
        elsewhere.will = will?.publication.topic
        elsewhere.isDue = isDue
      }
      Object.assign(ownership, {
        claim: (request: ClaimRequest) => {
          setWill(request.will, false)
          elsewhere.seconds = request.expiryIntervalSeconds
          return claim(request)
        },
        setWill: (_clientId: string, _token: unknown, will: WillRecord | undefined, dueAtMs?: number) => {
          setWill(will, dueAtMs !== undefined)
          return Promise.resolve(true)
        },
        setExpiry: (_clientId: string, _token: unknown, seconds: number) => (elsewhere.seconds = seconds),
      })
    })

    it('is the will of the CONNECT being answered, though the connection before it is lost meanwhile [MQTT-3.1.2-8]', async () => {
      const before = await harness.connect('x', withWill('old', 30))
      harness.ownership.isHolding = true
      const client = await harness.connect('x', withWill('new', 30))
      before.stream.destroy()
      harness.ownership.answerHeld()
      await harness.settle()
      assert.equal(client.of('connack').length, 1)
      assert.deepEqual(elsewhere, { will: 'new', isDue: false, seconds: 100 })
    })

    it('is the will of the CONNECT being answered, though the delay of the one before ends meanwhile [MQTT-3.1.2-8]', async () => {
      const before = await harness.connect('x', withWill('old', 3))
      before.stream.destroy()
      await harness.settle()
      assert.deepEqual(elsewhere, { will: 'old', isDue: true, seconds: 100 })
      harness.ownership.isHolding = true
      const client = await harness.connect('x', withWill('new', 30))
      await harness.clock.advance(5000)
      harness.ownership.answerHeld()
      await harness.settle()
      assert.equal(client.of('connack').length, 1)
      assert.deepEqual(elsewhere, { will: 'new', isDue: false, seconds: 100 })
    })

    it('is that of the last of two CONNECTs', async () => {
      harness.ownership.isHolding = true
      await harness.connect('x', withWill('first', 30))
      await harness.connect('x', { ...withWill('last', 30), properties: { sessionExpiryInterval: 7 } })
      harness.ownership.answerHeld()
      await harness.settle()
      assert.deepEqual(elsewhere, { will: 'last', isDue: false, seconds: 7 })
    })

    it('is that of the connection before, when a CONNECT is refused', async () => {
      await harness.connect('x', withWill('old', 30))
      harness.ownership.answer = () => ({ status: 'refused', reason: 'unavailable' })
      await harness.connect('x', { ...withWill('new', 30), properties: { sessionExpiryInterval: 7 } })
      assert.deepEqual(elsewhere, { will: 'old', isDue: false, seconds: 100 })
    })

    it('is that of the connection before, now due, when a CONNECT goes before it is answered', async () => {
      await harness.connect('x', withWill('old', 30))
      harness.ownership.isHolding = true
      const client = await harness.connect('x', {
        ...withWill('new', 30),
        properties: { sessionExpiryInterval: 7 },
      })
      client.stream.destroy()
      harness.ownership.answerHeld()
      await harness.settle()
      assert.deepEqual(elsewhere, { will: 'old', isDue: true, seconds: 100 })
      await harness.clock.advance(31_000)
      assert.equal(harness.broker.stats.willsPublished, 1)
      assert.equal(elsewhere.will, undefined)
    })
  })
})
