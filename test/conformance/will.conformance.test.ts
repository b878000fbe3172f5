import assert from 'node:assert/strict'
import { userPropertiesInOrder, connectFrame, field, property } from '../support/raw-packet.ts'
import { useBroker, versions } from './harness.ts'

describe('Wills (sections 3.1.2.5 and 3.1.3)', () => {
  const broker = useBroker()

  for (const { version, over } of versions) {
    it(`[MQTT-3.1.2-7] [MQTT-3.1.2-8] [MQTT-3.1.2-8 v3.1.1] [MQTT-3.1.2-9 v3.1.1] the will is published, at its QoS, when the connection breaks ${over}`, async () => {
      for (const qos of [0, 1, 2] as const) {
        const topic = broker.unique()
        const watcher = await broker.connect(version)
        await watcher.subscribe(topic, { qos: 2 })
        const client = await broker.connect(version, { will: { topic, payload: 'gone', qos } })
        assert.deepEqual(await watcher.drain(), [], 'not while the client is there')
        await client.drop()
        const will = await watcher.expect('publish')
        assert.deepEqual([String(will.payload), will.qos, will.topic], ['gone', qos, topic])
      }
    })

    it(`[MQTT-3.1.2-8] [MQTT-3.1.2-8 v3.1.1] the will is published when the broker closes the connection over an error ${over}`, async () => {
      const topic = broker.unique()
      const watcher = await broker.connect(version)
      await watcher.subscribe(topic)
      const client = await broker.connect(version, { will: { topic, payload: 'gone' } })
      client.send(Buffer.from([0xf0, 0x00, 0x00, 0x00]), connectFrame({ version, payload: [field('x')] }))
      assert.equal(String((await watcher.expect('publish')).payload), 'gone')
    })

    it(`[MQTT-3.1.2-8] [MQTT-3.1.2-8 v3.1.1] the will without a delay is published when another connection takes over ${over}`, async () => {
      const topic = broker.unique()
      const clientId = broker.unique()
      const watcher = await broker.connect(version)
      await watcher.subscribe(topic)
      await broker.connect(version, { clientId, will: { topic, payload: 'gone' } })
      await broker.connect(version, { clientId })
      assert.equal(String((await watcher.expect('publish')).payload), 'gone')
    })

    it(`[MQTT-3.1.2-10] [MQTT-3.1.2-10 v3.1.1] a will is published once, and a resumed session has none left ${over}`, async () => {
      const topic = broker.unique()
      const clientId = broker.unique()
      const watcher = await broker.connect(version)
      await watcher.subscribe(topic)
      const before = await broker.resume(version, clientId, false, { will: { topic, payload: 'gone' } })
      await before.drop()
      await watcher.expect('publish')
      const client = await broker.resume(version, clientId, true)
      await client.drop()
      await broker.resume(version, clientId, true)
      assert.deepEqual(await watcher.drain(), [])
    })

    it(`[MQTT-3.1.2-12 v3.1.1] a client without a will leaves nothing behind ${over}`, async () => {
      const watcher = await broker.connect(version)
      await watcher.subscribe('#')
      await watcher.drain()
      const client = await broker.connect(version)
      await client.drop()
      await broker.connect(version)
      assert.deepEqual(await watcher.drain(), [])
    })

    it(`[MQTT-3.1.2-14] [MQTT-3.1.2-16 v3.1.1] Will Retain 0 retains nothing ${over}`, async () => {
      const topic = broker.unique()
      const watcher = await broker.connect(version)
      await watcher.subscribe(topic)
      const client = await broker.connect(version, { will: { topic, payload: 'gone', retain: false } })
      await client.drop()
      await watcher.expect('publish')
      const late = await broker.connect(version)
      await late.subscribe(topic)
      assert.deepEqual(await late.drain(), [])
    })

    it(`[MQTT-3.1.2-15] [MQTT-3.1.2-17 v3.1.1] Will Retain 1 retains the will ${over}`, async () => {
      const topic = broker.unique()
      const watcher = await broker.connect(version)
      await watcher.subscribe(topic)
      const client = await broker.connect(version, { will: { topic, payload: 'gone', retain: true } })
      await client.drop()
      assert.equal((await watcher.expect('publish')).retain, false)
      const late = await broker.connect(version)
      await late.subscribe(topic)
      const retained = await late.expect('publish')
      assert.deepEqual([retained.retain, String(retained.payload)], [true, 'gone'])
    })
  }

  it('[MQTT-3.1.2-8] a will with a delay is published when the session ends before the delay', async () => {
    const topic = broker.unique()
    const watcher = await broker.connect(5)
    await watcher.subscribe(topic)
    const client = await broker.connect(5, {
      will: { topic, payload: 'gone', properties: { willDelayInterval: 3600 } },
      properties: { sessionExpiryInterval: 0 },
    })
    await client.drop()
    assert.equal(String((await watcher.expect('publish')).payload), 'gone')
  })

  it('[MQTT-3.1.2-8] a will with a delay is published when a clean start ends the session', async () => {
    const topic = broker.unique()
    const clientId = broker.unique()
    const watcher = await broker.connect(5)
    await watcher.subscribe(topic)
    const client = await broker.connect(5, {
      clientId,
      will: { topic, payload: 'gone', properties: { willDelayInterval: 3600 } },
      properties: { sessionExpiryInterval: 3600 },
    })
    await client.drop()
    assert.deepEqual(await watcher.drain(), [])
    await broker.connect(5, { clientId, clean: true })
    assert.equal(String((await watcher.expect('publish')).payload), 'gone')
  })

  it('[MQTT-3.1.3-10] [MQTT-3.1.2-7] the properties of a will are published with it, User Properties in their order', async () => {
    const topic = broker.unique()
    const watcher = await broker.connect(5)
    await watcher.subscribe(topic)
    const pairs: [string, string][] = [
      ['b', '1'],
      ['a', '2'],
      ['b', '3'],
      ['', ''],
      ['b', '1'],
    ]
    const list = Buffer.concat([
      property(0x01, Buffer.from([1])),
      property(0x03, field('text/plain')),
      property(0x08, field('reply/here')),
      property(0x09, field(Buffer.from([0, 255]))),
      ...pairs.map(([name, value]) => property(0x26, Buffer.concat([field(name), field(value)]))),
    ])
    const client = await broker.open(5)
    const payload = [field(broker.unique()), Buffer.from([list.length]), list, field(topic), field('gone')]
    client.send(connectFrame({ version: 5, flags: 0x06, payload }))
    await client.expect('connack')
    await client.drop()
    const will = await watcher.expect('publish')
    assert.deepEqual(userPropertiesInOrder(will.bytes), pairs)
    assert.equal(will.properties?.payloadFormatIndicator, true)
    assert.equal(will.properties?.contentType, 'text/plain')
    assert.equal(will.properties?.responseTopic, 'reply/here')
    assert.deepEqual(will.properties?.correlationData, Buffer.from([0, 255]))
  })
})
