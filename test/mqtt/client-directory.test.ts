import assert from 'node:assert/strict'
import { ClientDirectory } from '../../src/mqtt/client-directory.ts'
import { MqttHarness } from './support/mqtt-harness.ts'

const REFERENCE = 'mqtt.example.com:1883'

describe('ClientDirectory', () => {
  const start = (
    serverReference?: string,
    serverMoved = false,
  ): { broker: MqttHarness; clients: ClientDirectory } => {
    const options = { serverReference, serverMoved }
    const broker = new MqttHarness(options)
    return { broker, clients: new ClientDirectory(broker.broker.sessions, options) }
  }

  describe('while the node drains', () => {
    it('refuses a v5 CONNECT with 0x9C and the Server Reference that is configured', async () => {
      const { broker, clients } = start(REFERENCE)
      clients.setDraining(true)
      const client = await broker.connect('late')
      const [connack] = client.received
      assert.ok(connack?.cmd === 'connack')
      assert.equal(connack.reasonCode, 0x9c)
      assert.equal(connack.properties?.serverReference, REFERENCE)
      assert.equal(clients.sessionCount, 0)
    })

    it('tells v5 clients that come, and those that are there, that the server has moved for good, where that is so', async () => {
      const { broker, clients } = start(REFERENCE, true)
      const connected = await broker.connect('there')
      clients.setDraining(true)
      const [connack] = (await broker.connect('late')).received
      assert.ok(connack?.cmd === 'connack')
      assert.equal(connack.reasonCode, 0x9d)
      clients.dismiss(1)
      await broker.settle()
      const last = connected.received.at(-1)
      assert.ok(last?.cmd === 'disconnect')
      assert.equal(last.reasonCode, 0x9d)
      assert.equal(last.properties?.serverReference, REFERENCE)
    })

    it('refuses a v5 CONNECT with 0x88 when no Server Reference is configured', async () => {
      const { broker, clients } = start()
      clients.setDraining(true)
      const [connack] = (await broker.connect('late')).received
      assert.ok(connack?.cmd === 'connack')
      assert.equal(connack.reasonCode, 0x88)
    })

    it('refuses a v3.1.1 CONNECT with return code 3', async () => {
      const { broker, clients } = start(REFERENCE)
      clients.setDraining(true)
      const [connack] = (await broker.connect('late', {}, 4)).received
      assert.ok(connack?.cmd === 'connack')
      assert.equal(connack.returnCode, 3)
    })

    it('takes clients again when that is over', async () => {
      const { broker, clients } = start()
      clients.setDraining(true)
      clients.setDraining(false)
      const [connack] = (await broker.connect('in time')).received
      assert.ok(connack?.cmd === 'connack')
      assert.equal(connack.reasonCode, 0)
    })
  })

  describe('dismiss', () => {
    it('tells a v5 client to use another server, and which', async () => {
      const { broker, clients } = start(REFERENCE)
      const client = await broker.connect('one')
      assert.deepEqual(clients.dismiss(10), ['one'])
      await broker.settle()
      const last = client.received.at(-1)
      assert.ok(last?.cmd === 'disconnect')
      assert.equal(last.reasonCode, 0x9c)
      assert.equal(last.properties?.serverReference, REFERENCE)
    })

    it('tells a v5 client that the server shuts down when there is no other to name', async () => {
      const { broker, clients } = start()
      const client = await broker.connect('one')
      clients.dismiss(1)
      await broker.settle()
      const last = client.received.at(-1)
      assert.ok(last?.cmd === 'disconnect')
      assert.equal(last.reasonCode, 0x8b)
    })

    it('just closes the connection of a v3.1.1 client', async () => {
      const { broker, clients } = start(REFERENCE)
      const client = await broker.connect('one', {}, 4)
      clients.dismiss(1)
      await broker.settle()
      assert.equal(client.received.length, 1) // its CONNACK
      assert.equal(clients.connectionCount, 0)
    })

    it('sends no more away than asked, ends clean sessions and keeps the others', async () => {
      const { broker, clients } = start()
      await broker.connect('clean')
      await broker.connect('lasting', { properties: { sessionExpiryInterval: 600 } })
      await broker.connect('third')
      assert.deepEqual(clients.dismiss(2), ['clean', 'lasting'])
      assert.equal(clients.connectionCount, 1)
      assert.equal(clients.holds('clean'), false)
      assert.equal(clients.describe('lasting')?.connected, false)
      assert.equal(clients.describe('third')?.connected, true)
    })

    it('leaves connections alone whose CONNECT was not answered yet', async () => {
      const { broker, clients } = start()
      broker.open()
      broker.ownership.isHolding = true
      await broker.connect('claiming')
      assert.deepEqual(clients.dismiss(10), [])
      assert.equal(clients.connectionCount, 2)
    })
  })

  it('describes a session with what waits for its client', async () => {
    const { broker, clients } = start()
    const properties = { sessionExpiryInterval: 600, receiveMaximum: 2 }
    const client = await broker.connect('__proto__', { clean: false, properties })
    await broker.subscribe(client, 'news/#')
    const publisher = await broker.connect('publisher')
    for (let messageId = 1; messageId <= 5; messageId++) {
      publisher.send({
        cmd: 'publish',
        topic: 'news/1',
        payload: 'x',
        qos: 1,
        messageId,
        dup: false,
        retain: false,
      })
    }
    await broker.settle()
    const described = clients.describe('__proto__')
    assert.equal(described?.subscriptions, 1)
    assert.equal(described.queued, 5)
    assert.equal(described.inflight, 2)
    assert.equal(described.expiryIntervalSeconds, 600)
    assert.equal(typeof described.remote, 'string')
    assert.equal(described.disconnectedAtMs, undefined)
    clients.dismiss(10)
    const gone = clients.describe('__proto__')
    assert.equal(gone?.connected, false)
    assert.equal(gone.remote, undefined)
    assert.equal(gone.queued, 5)
    assert.equal(gone.inflight, 0)
    assert.equal(typeof gone.disconnectedAtMs, 'number')
    assert.equal(clients.describe('constructor'), undefined)
  })
})
