import assert from 'node:assert/strict'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import { MqttHarness } from './support/mqtt-harness.ts'

const will = {
  topic: 'gone',
  payload: Buffer.from('x'),
  qos: 1 as const,
  retain: false,
  properties: { willDelayInterval: 10 },
}

describe('SessionRegistry: what is kept elsewhere of its sessions', () => {
  let harness: MqttHarness
  /** Changes of expiry intervals that were to be kept: `client id: seconds`. */
  let expiries: string[]

  beforeEach(() => {
    harness = new MqttHarness()
    expiries = []
    Object.assign(harness.ownership, {
      setExpiry: (clientId: string, _token: unknown, seconds: number) =>
        expiries.push(`${clientId}: ${seconds}`),
    })
  })

  it('tells the other interval of a DISCONNECT, and nothing when it is the same', async () => {
    const properties = { sessionExpiryInterval: 100 }
    const first = await harness.connect('x', { clean: false, properties })
    first.send({ cmd: 'disconnect', properties })
    await harness.settle()
    assert.deepEqual(expiries, [])
    const second = await harness.connect('x', { clean: false, properties })
    second.send({ cmd: 'disconnect', properties: { sessionExpiryInterval: 7 } })
    await harness.settle()
    assert.deepEqual(expiries, ['x: 7'])
  })

  it('knows the will of a connected client whose session ends with its connection', async () => {
    const { moves } = harness.broker.sessions
    const client = await harness.connect('x', { will })
    assert.equal(moves.willOf('x')?.will.publication.topic, 'gone')
    assert.equal(moves.willOf('x')?.dueAtMs, undefined)
    assert.equal(moves.willOf('other'), undefined)
    client.send({ cmd: 'disconnect' })
    await harness.settle()
    assert.equal(moves.willOf('x'), undefined)
  })

  it('knows when the will of a client that has gone is due, until it is published', async () => {
    const { moves } = harness.broker.sessions
    const properties = { sessionExpiryInterval: 100 }
    const client = await harness.connect('x', { clean: false, properties, will })
    client.stream.destroy()
    const goneAtMs = harness.clock.wallNow()
    await harness.settle()
    assert.equal(moves.willOf('x')?.dueAtMs, goneAtMs + 10_000)
    await harness.clock.advance(11_000)
    assert.equal(moves.willOf('x'), undefined)
  })

  it('names the sessions on its disk that nobody has claimed since the start', async () => {
    const store = new MemoryStore({ clock: harness.clock })
    const before = new MqttHarness({}, store)
    await before.connect('x', { clean: false, properties: { sessionExpiryInterval: 100 } })
    assert.deepEqual([...before.broker.sessions.moves.unclaimed()], [])
    await harness.settle()
    await before.settle()
    const after = new MqttHarness({}, store)
    await after.broker.restore()
    const { moves } = after.broker.sessions
    assert.deepEqual(
      Array.from(moves.unclaimed(), ({ clientId, token }) => [clientId, token.revision]),
      [['x', 1]],
    )
    await after.connect('x', { clean: false, properties: { sessionExpiryInterval: 100 } })
    await harness.settle()
    await after.settle()
    assert.deepEqual([...moves.unclaimed()], [])
  })
})
