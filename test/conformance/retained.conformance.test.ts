import assert from 'node:assert/strict'
import { assertConnectRefused, assertRefused, useBroker, versions } from './harness.ts'

describe('Retained messages (section 3.3.1.3)', () => {
  const broker = useBroker()

  for (const { version, over } of versions) {
    it(`[MQTT-3.3.1-5] [MQTT-3.3.1-9] [MQTT-3.3.1-5 v3.1.1] [MQTT-3.3.1-6 v3.1.1] [MQTT-3.3.1-8 v3.1.1] a new subscription gets the last retained message of each matching topic, with RETAIN 1 and its QoS ${over}`, async () => {
      const level = broker.unique()
      const publisher = await broker.connect(version)
      await publisher.publishThrough(`${level}/a`, 'old', { qos: 0, retain: true })
      await publisher.publishThrough(`${level}/a`, 'new', { qos: 1, retain: true })
      await publisher.publishThrough(`${level}/b`, 'other', { qos: 2, retain: true })
      const client = await broker.connect(version)
      await client.subscribe(`${level}/+`, { qos: 2 })
      const packets = (await client.drain()).map(packet =>
        packet.cmd === 'publish' ? [packet.topic, String(packet.payload), packet.qos, packet.retain] : packet,
      )
      assert.deepEqual(
        packets.sort((one, other) => (String(one) < String(other) ? -1 : 1)),
        [
          [`${level}/a`, 'new', 1, true],
          [`${level}/b`, 'other', 2, true],
        ],
      )
    })

    it(`[MQTT-3.3.1-7 v3.1.1] [MQTT-3.3.1-5] a retained message at QoS 0 takes the place of one at QoS 1 ${over}`, async () => {
      const topic = broker.unique()
      const publisher = await broker.connect(version)
      await publisher.publishThrough(topic, 'old', { qos: 1, retain: true })
      await publisher.publishThrough(topic, 'new', { qos: 0, retain: true })
      const client = await broker.connect(version)
      await client.subscribe(topic, { qos: 1 })
      assert(!(await client.drainPayloads()).includes('old'))
    })

    it(`[MQTT-3.3.1-12] [MQTT-3.3.1-9 v3.1.1] an established subscription gets RETAIN 0 ${over}`, async () => {
      const topic = broker.unique()
      const client = await broker.connect(version)
      await client.subscribe(topic)
      const publisher = await broker.connect(version)
      publisher.publish(topic, 'hello', { retain: true })
      assert.equal((await client.expect('publish')).retain, false)
    })

    it(`[MQTT-3.3.1-6] [MQTT-3.3.1-7] [MQTT-3.3.1-10 v3.1.1] [MQTT-3.3.1-11 v3.1.1] an empty retained message is delivered, removes the retained message and is not kept ${over}`, async () => {
      const topic = broker.unique()
      const watcher = await broker.connect(version)
      await watcher.subscribe(topic)
      const publisher = await broker.connect(version)
      await publisher.publishThrough(topic, 'kept', { qos: 1, retain: true })
      await publisher.publishThrough(topic, '', { qos: 1, retain: true })
      assert.deepEqual(await watcher.drainPayloads(), ['kept', ''])
      const late = await broker.connect(version)
      await late.subscribe(topic)
      assert.deepEqual(await late.drain(), [])
    })

    it(`[MQTT-3.3.1-8] [MQTT-3.3.1-12 v3.1.1] a message with RETAIN 0 leaves the retained one as it is ${over}`, async () => {
      const [topic, other] = [broker.unique(), broker.unique()]
      const publisher = await broker.connect(version)
      await publisher.publishThrough(topic, 'kept', { qos: 1, retain: true })
      await publisher.publishThrough(topic, 'passing', { qos: 1 })
      await publisher.publishThrough(topic, '', { qos: 1 })
      await publisher.publishThrough(other, 'passing', { qos: 1 })
      const late = await broker.connect(version)
      await late.subscribe([
        { topic, qos: 0 },
        { topic: other, qos: 0 },
      ])
      assert.deepEqual(await late.drainPayloads(), ['kept'])
    })

    it(`[MQTT-3.1.2-7 v3.1.1] retained messages outlast the session of their publisher ${over}`, async () => {
      const topic = broker.unique()
      const publisher = await broker.connect(version)
      await publisher.publishThrough(topic, 'kept', { qos: 1, retain: true })
      await publisher.disconnect()
      const late = await broker.connect(version)
      await late.subscribe(topic)
      assert.deepEqual(await late.drainPayloads(), ['kept'])
    })

    it(`[MQTT-3.8.4-4] [MQTT-3.8.4-3 v3.1.1] subscribing again sends retained messages again ${over}`, async () => {
      const topic = broker.unique()
      const publisher = await broker.connect(version)
      await publisher.publishThrough(topic, 'kept', { qos: 1, retain: true })
      const client = await broker.connect(version)
      await client.subscribe(topic)
      await client.subscribe(topic)
      assert.deepEqual(await client.drainPayloads(), ['kept', 'kept'])
    })
  }

  it('[MQTT-3.3.1-10] Retain Handling 1 sends retained messages to a new subscription only', async () => {
    const topic = broker.unique()
    const publisher = await broker.connect(5)
    await publisher.publishThrough(topic, 'kept', { qos: 1, retain: true })
    const client = await broker.connect(5)
    await client.subscribe([{ topic, qos: 1, rh: 1 }])
    assert.deepEqual(await client.drainPayloads(), ['kept'])
    await client.subscribe([{ topic, qos: 0, rh: 1 }])
    assert.deepEqual(await client.drain(), [])
    client.send({ cmd: 'unsubscribe', messageId: 1, unsubscriptions: [topic] })
    await client.expect('unsuback')
    await client.subscribe([{ topic, qos: 1, rh: 1 }])
    assert.deepEqual(await client.drainPayloads(), ['kept'])
  })

  it('[MQTT-3.3.1-11] Retain Handling 2 sends no retained messages', async () => {
    const topic = broker.unique()
    const publisher = await broker.connect(5)
    await publisher.publishThrough(topic, 'kept', { qos: 1, retain: true })
    const client = await broker.connect(5)
    await client.subscribe([{ topic, qos: 1, rh: 2 }])
    assert.deepEqual(await client.drain(), [])
    await publisher.publishThrough(topic, 'live', { qos: 1 })
    assert.deepEqual(await client.drainPayloads(), ['live'])
  })

  it('[MQTT-3.3.1-12] [MQTT-3.3.1-13] Retain As Published decides whether RETAIN is handed on', async () => {
    const topic = broker.unique()
    const as = await broker.connect(5)
    await as.subscribe([{ topic, qos: 0, rap: true }])
    const not = await broker.connect(5)
    await not.subscribe([{ topic, qos: 0, rap: false }])
    const publisher = await broker.connect(5)
    await publisher.publishThrough(topic, 'retained', { retain: true })
    await publisher.publishThrough(topic, 'passing')
    assert.deepEqual(
      [(await as.expect('publish')).retain, (await as.expect('publish')).retain],
      [true, false],
    )
    assert.deepEqual(
      [(await not.expect('publish')).retain, (await not.expect('publish')).retain],
      [false, false],
    )
  })
})

describe('A broker without retained messages', () => {
  const broker = useBroker({ retained: false })

  it('[MQTT-3.2.2-13] says so in CONNACK and refuses a will that is to be retained with 0x9A', async () => {
    const client = await broker.open(5)
    const { properties } = await client.connect({ clientId: broker.unique() })
    assert.equal(properties?.retainAvailable, false)
    const other = await broker.open(5)
    other.send({
      cmd: 'connect',
      protocolVersion: 5,
      clientId: broker.unique(),
      clean: true,
      will: { topic: broker.unique(), payload: 'gone', retain: true },
    })
    await assertConnectRefused(other, [0x9a])
  })

  it('[MQTT-3.2.2-14] answers a PUBLISH with RETAIN 1 with DISCONNECT 0x9A', async () => {
    const client = await broker.connect(5)
    client.publish(broker.unique(), 'kept', { retain: true })
    await assertRefused(client, 0x9a)
  })
})
