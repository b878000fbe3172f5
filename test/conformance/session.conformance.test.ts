import assert from 'node:assert/strict'
import { assertDisconnect, durable, useBroker, versions } from './harness.ts'

describe('Sessions (sections 3.1.2, 3.2.2, 4.1, 4.4 and 4.5)', () => {
  const broker = useBroker()

  for (const { version, over } of versions) {
    it(`[MQTT-3.1.2-6] [MQTT-3.1.2-4 v3.1.1] [MQTT-3.2.2-3] [MQTT-3.2.2-3 v3.1.1] a client that the broker does not know gets a new session ${over}`, async () => {
      await broker.resume(version, broker.unique(), false)
    })

    it(`[MQTT-3.1.2-5] [MQTT-3.1.2-4 v3.1.1] [MQTT-3.1.2-23] [MQTT-3.2.2-3] [MQTT-3.2.2-2 v3.1.1] [MQTT-4.1.0-1 v3.1.1] a session outlasts its connection with its subscriptions ${over}`, async () => {
      const clientId = broker.unique()
      const topic = broker.unique()
      const before = await broker.resume(version, clientId, false)
      await before.subscribe(topic, { qos: 1 })
      await before.disconnect()
      const client = await broker.resume(version, clientId, true)
      const publisher = await broker.connect(version)
      await publisher.publishThrough(topic, 'hello', { qos: 1 })
      assert.equal((await client.expect('publish')).qos, 1)
    })

    it(`[MQTT-3.1.2-5 v3.1.1] [MQTT-4.5.0-1] [MQTT-4.5.0-1 v3.1.1] messages at QoS 1 and 2 wait for every disconnected subscriber ${over}`, async () => {
      const topic = broker.unique()
      const clientIds = [broker.unique(), broker.unique()]
      for (const clientId of clientIds) {
        const client = await broker.resume(version, clientId, false)
        await client.subscribe(topic, { qos: 2 })
        await client.drop()
      }
      const publisher = await broker.connect(version)
      await publisher.publishThrough(topic, 'one', { qos: 1 })
      await publisher.publishThrough(topic, 'two', { qos: 2 })
      for (const clientId of clientIds) {
        const client = await broker.resume(version, clientId, true)
        const first = await client.expect('publish')
        const second = await client.expect('publish')
        assert.deepEqual(
          [String(first.payload), first.qos, String(second.payload), second.qos],
          ['one', 1, 'two', 2],
        )
      }
    })

    it(`[MQTT-3.1.2-4] [MQTT-3.1.2-6 v3.1.1] [MQTT-3.1.4-4] [MQTT-3.1.4-3 v3.1.1] [MQTT-3.2.2-2] [MQTT-3.2.2-1 v3.1.1] a clean start discards the session and what waited in it ${over}`, async () => {
      const clientId = broker.unique()
      const topic = broker.unique()
      const before = await broker.resume(version, clientId, false)
      await before.subscribe(topic, { qos: 1 })
      await before.drop()
      const publisher = await broker.connect(version)
      await publisher.publishThrough(topic, 'waits', { qos: 1 })
      const clean = await broker.open(version)
      const connack = await clean.connect({ ...durable(version, clientId), clean: true })
      assert.equal(connack.bytes[2], 0, 'Session Present')
      assert.equal(connack.bytes[3], 0, 'code')
      await publisher.publishThrough(topic, 'now', { qos: 1 })
      assert.deepEqual(await clean.drain(), [])
    })

    it(`[MQTT-3.1.2-6 v3.1.1] a session that was clean at its start is not there for the next connection ${over}`, async () => {
      const clientId = broker.unique()
      const topic = broker.unique()
      const before = await broker.connect(version, { clientId })
      await before.subscribe(topic, { qos: 1 })
      await before.drop()
      const client = await broker.resume(version, clientId, false)
      const publisher = await broker.connect(version)
      await publisher.publishThrough(topic, 'hello', { qos: 1 })
      assert.deepEqual(await client.drain(), [])
    })

    it(`[MQTT-3.1.3-2] [MQTT-3.1.3-2 v3.1.1] the client identifier, byte for byte, is what finds the session ${over}`, async () => {
      const clientId = broker.unique()
      await (await broker.resume(version, clientId, false)).drop()
      await broker.resume(version, clientId.toUpperCase(), false)
      await broker.resume(version, `${clientId} `, false)
      await broker.resume(version, clientId, true)
    })

    it(`[MQTT-4.1.0-1] [MQTT-4.1.0-2 v3.1.1] a session that ends with its connection is whole as long as that lasts ${over}`, async () => {
      const topic = broker.unique()
      const client = await broker.connect(version)
      await client.subscribe(topic, { qos: 1 })
      const publisher = await broker.connect(version)
      for (let count = 0; count < 5; count++) {
        await publisher.publishThrough(topic, 'hello', { qos: 1 })
        const { messageId } = await client.expect('publish')
        client.send({ cmd: 'puback', messageId: messageId ?? 0 })
        await client.settle()
      }
    })

    it(`[MQTT-3.1.2-5] [MQTT-3.1.4-2 v3.1.1] [MQTT-3.1.4-3] a session goes to the newest connection with what is unacknowledged ${over}`, async () => {
      const clientId = broker.unique()
      const topic = broker.unique()
      const older = await broker.resume(version, clientId, false)
      await older.subscribe(topic, { qos: 1 })
      const publisher = await broker.connect(version)
      await publisher.publishThrough(topic, 'hello', { qos: 1 })
      const first = await older.expect('publish')
      const newer = await broker.resume(version, clientId, true)
      const last = await older.closed()
      if (version === 5) assertDisconnect(last[0], 0x8e)
      const again = await newer.expect('publish')
      assert.deepEqual([again.messageId, again.dup, String(again.payload)], [first.messageId, true, 'hello'])
    })

    it(`[MQTT-3.3.1-1] [MQTT-3.3.1-1 v3.1.1] [MQTT-4.3.2-3] [MQTT-4.4.0-1] [MQTT-4.4.0-1 v3.1.1] [MQTT-4.6.0-1 v3.1.1] unacknowledged messages come again in their order, with DUP and under their identifiers ${over}`, async () => {
      const clientId = broker.unique()
      const topic = broker.unique()
      const before = await broker.resume(version, clientId, false)
      await before.subscribe(topic, { qos: 2 })
      const publisher = await broker.connect(version)
      for (const qos of [1, 2, 1, 2] as const) await publisher.publishThrough(topic, `qos ${qos}`, { qos })
      const sent = []
      for (let count = 0; count < 4; count++) sent.push(await before.expect('publish'))
      assert(sent.every(packet => !packet.dup))
      assert.deepEqual(await before.drain(), [], 'nothing is sent again while the connection lasts')
      await before.drop()
      const client = await broker.resume(version, clientId, true)
      for (const packet of sent) {
        const again = await client.expect('publish')
        assert.deepEqual(
          [again.dup, again.messageId, again.qos, String(again.payload)],
          [true, packet.messageId, packet.qos, String(packet.payload)],
        )
      }
    })

    it(`[MQTT-4.3.3-5] [MQTT-4.3.3-6] [MQTT-4.4.0-1] [MQTT-4.3.3-1 v3.1.1] [MQTT-4.4.0-1 v3.1.1] after PUBREC only PUBREL comes again ${over}`, async () => {
      const clientId = broker.unique()
      const topic = broker.unique()
      const before = await broker.resume(version, clientId, false)
      await before.subscribe(topic, { qos: 2 })
      const publisher = await broker.connect(version)
      await publisher.publishThrough(topic, 'once', { qos: 2 })
      const { messageId = 0 } = await before.expect('publish')
      before.send({ cmd: 'pubrec', messageId })
      assert.equal((await before.expect('pubrel')).messageId, messageId)
      await before.drop()
      const client = await broker.resume(version, clientId, true)
      assert.equal((await client.expect('pubrel')).messageId, messageId)
      client.send({ cmd: 'pubcomp', messageId })
      assert.deepEqual(await client.drain(), [])
      await client.drop()
      const later = await broker.resume(version, clientId, true)
      assert.deepEqual(await later.drain(), [])
    })

    it(`[MQTT-4.3.3-10] [MQTT-4.3.3-2 v3.1.1] [MQTT-4.1.0-1 v3.1.1] the identifiers of QoS 2 messages received are part of the session ${over}`, async () => {
      const topic = broker.unique()
      const clientId = broker.unique()
      const watcher = await broker.connect(version)
      await watcher.subscribe(topic, { qos: 0 })
      const before = await broker.resume(version, clientId, false)
      before.publish(topic, 'once', { qos: 2, messageId: 7 })
      await before.expect('pubrec')
      await before.drop()
      const client = await broker.resume(version, clientId, true)
      client.publish(topic, 'once', { qos: 2, messageId: 7, dup: true })
      assert.equal((await client.expect('pubrec')).messageId, 7)
      client.send({ cmd: 'pubrel', messageId: 7 })
      assert.equal((await client.expect('pubcomp')).messageId, 7)
      assert.deepEqual(await watcher.drainPayloads(), ['once'])
    })
  }

  it('[MQTT-4.4.0-2] a message refused with a PUBACK or PUBREC of 0x80 or above does not come again', async () => {
    const clientId = broker.unique()
    const topic = broker.unique()
    const before = await broker.resume(5, clientId, false)
    await before.subscribe(topic, { qos: 2 })
    const publisher = await broker.connect(5)
    await publisher.publishThrough(topic, 'one', { qos: 1 })
    await publisher.publishThrough(topic, 'two', { qos: 2 })
    const one = await before.expect('publish')
    const two = await before.expect('publish')
    before.send({ cmd: 'puback', messageId: one.messageId ?? 0, reasonCode: 0x83 })
    before.send({ cmd: 'pubrec', messageId: two.messageId ?? 0, reasonCode: 0x83 })
    assert.deepEqual(await before.drain(), [])
    await before.drop()
    const client = await broker.resume(5, clientId, true)
    assert.deepEqual(await client.drain(), [])
  })

  it('[MQTT-3.1.2-23] a session whose expiry DISCONNECT sets to 0 ends with the connection', async () => {
    const clientId = broker.unique()
    const before = await broker.resume(5, clientId, false)
    before.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 0 } })
    await before.closed()
    await broker.resume(5, clientId, false)
  })
})
