import assert from 'node:assert/strict'
import { field, frame } from '../support/raw-packet.ts'
import { assertRefused, useBroker, versions } from './harness.ts'

describe('SUBSCRIBE and UNSUBSCRIBE (sections 3.8 to 3.11)', () => {
  const broker = useBroker()

  for (const { version, over } of versions) {
    const noProperties = version === 5 ? [Buffer.from([0])] : []
    const id = Buffer.from([0, 1])

    it(`[MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-2.2.1-6] [MQTT-3.8.4-1 v3.1.1] [MQTT-3.8.4-2 v3.1.1] [MQTT-2.3.1-7 v3.1.1] SUBACK carries the identifier of its SUBSCRIBE ${over}`, async () => {
      const client = await broker.connect(version)
      assert.equal((await client.subscribe(broker.unique(), { messageId: 65_535 })).messageId, 65_535)
      assert.equal((await client.subscribe(broker.unique(), { messageId: 256 })).messageId, 256)
    })

    it(`[MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.8.4-7] [MQTT-3.9.3-1] [MQTT-3.9.3-2] [MQTT-3.8.4-4 v3.1.1] [MQTT-3.8.4-5 v3.1.1] [MQTT-3.9.3-1 v3.1.1] [MQTT-3.9.3-2 v3.1.1] one SUBACK has a code for each filter, in their order ${over}`, async () => {
      const topics = [2, 0, 1, 2].map(qos => ({ topic: broker.unique(), qos: qos as 0 | 1 | 2 }))
      const client = await broker.connect(version)
      const { granted } = await client.subscribe(topics)
      assert.deepEqual(granted, [2, 0, 1, 2])
      const publisher = await broker.connect(version)
      for (const { topic } of topics) await publisher.publishThrough(topic, topic)
      assert.deepEqual(
        await client.drainPayloads(),
        topics.map(({ topic }) => topic),
      )
    })

    it(`[MQTT-3.8.4-8] [MQTT-3.8.4-6 v3.1.1] messages come at the lower of the QoS published and the QoS granted ${over}`, async () => {
      const publisher = await broker.connect(version)
      for (const granted of [0, 1, 2] as const) {
        const topic = broker.unique()
        const client = await broker.connect(version)
        await client.subscribe(topic, { qos: granted })
        for (const published of [0, 1, 2] as const) {
          await publisher.publishThrough(topic, 'hello', { qos: published })
          assert.equal((await client.expect('publish')).qos, Math.min(granted, published))
        }
      }
    })

    it(`[MQTT-3.8.4-3] [MQTT-3.8.4-3 v3.1.1] a filter subscribed again replaces the subscription: one copy, at the new QoS ${over}`, async () => {
      const topic = broker.unique()
      const client = await broker.connect(version)
      await client.subscribe(topic, { qos: 0 })
      await client.subscribe(topic, { qos: 1 })
      const publisher = await broker.connect(version)
      await publisher.publishThrough(topic, 'hello', { qos: 2 })
      const packets = await client.drain()
      assert.deepEqual(
        packets.map(packet => packet.cmd === 'publish' && packet.qos),
        [1],
      )
    })

    it(`[MQTT-3.8.4-4] [MQTT-3.8.4-3 v3.1.1] no message is lost while a subscription is replaced ${over}`, async () => {
      const topic = broker.unique()
      const client = await broker.connect(version)
      await client.subscribe(topic)
      const publisher = await broker.connect(version)
      const sent = Array.from({ length: 50 }, (_, index) => String(index))
      for (const [index, payload] of sent.entries()) {
        publisher.publish(topic, payload)
        if (index % 10 === 0)
          client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos: 0 }] })
      }
      await publisher.settle()
      const got = (await client.drain()).flatMap(packet =>
        packet.cmd === 'publish' ? [String(packet.payload)] : [],
      )
      assert.deepEqual(got, sent)
    })

    it(`[MQTT-3.3.4-2] [MQTT-3.3.5-1 v3.1.1] overlapping subscriptions deliver at the highest of their QoS ${over}`, async () => {
      const level = broker.unique()
      const client = await broker.connect(version)
      await client.subscribe([
        { topic: `${level}/#`, qos: 2 },
        { topic: `${level}/+`, qos: 0 },
        { topic: `${level}/a`, qos: 1 },
      ])
      const publisher = await broker.connect(version)
      await publisher.publishThrough(`${level}/a`, 'hello', { qos: 2 })
      const packets = (await client.drain()).map(packet => (packet.cmd === 'publish' ? packet.qos : -1))
      assert.equal(Math.max(...packets), 2)
      assert(packets.length <= 3)
    })

    it(`[MQTT-3.8.1-1] [MQTT-3.8.1-1 v3.1.1] [MQTT-3.10.1-1] [MQTT-3.10.1-1 v3.1.1] flags other than 0010 close the connection ${over}`, async () => {
      const topic = field(broker.unique())
      for (const packet of [
        frame(0x80, id, ...noProperties, topic, Buffer.from([0])),
        frame(0x8a, id, ...noProperties, topic, Buffer.from([0])),
        frame(0xa0, id, ...noProperties, topic),
        frame(0xa3, id, ...noProperties, topic),
      ]) {
        const client = await broker.connect(version)
        client.send(packet)
        await assertRefused(client, 0x81)
      }
    })

    it(`[MQTT-3.8.3-2] [MQTT-3.8.3-3 v3.1.1] a SUBSCRIBE without a filter closes the connection ${over}`, async () => {
      const client = await broker.connect(version)
      client.send(frame(0x82, id, ...noProperties))
      await assertRefused(client, 0x81, 0x82)
    })

    it(`[MQTT-3.8.3-5] [MQTT-3.8.3-4 v3.1.1] reserved option bits, or QoS 3, close the connection ${over}`, async () => {
      for (const options of [0x40, 0x80, 0x03]) {
        const client = await broker.connect(version)
        client.send(frame(0x82, id, ...noProperties, field(broker.unique()), Buffer.from([options])))
        await assertRefused(client, 0x81, 0x82)
      }
    })

    it(`[MQTT-3.10.3-2] [MQTT-3.10.3-2 v3.1.1] an UNSUBSCRIBE without a filter closes the connection ${over}`, async () => {
      const client = await broker.connect(version)
      client.send(frame(0xa2, id, ...noProperties))
      await assertRefused(client, 0x81, 0x82)
    })

    it(`[MQTT-3.10.4-1] [MQTT-3.10.4-2] [MQTT-3.10.4-4] [MQTT-3.10.4-1 v3.1.1] [MQTT-3.10.4-2 v3.1.1] [MQTT-3.10.4-4 v3.1.1] UNSUBSCRIBE ends exactly the subscription it names ${over}`, async () => {
      const level = broker.unique()
      const client = await broker.connect(version)
      await client.subscribe([
        { topic: `${level}/+`, qos: 0 },
        { topic: `${level}/b`, qos: 0 },
      ])
      const publisher = await broker.connect(version)
      client.send({ cmd: 'unsubscribe', messageId: 9, unsubscriptions: [`${level}/#`, `${level}/B`] })
      assert.equal((await client.expect('unsuback')).messageId, 9)
      await publisher.publishThrough(`${level}/a`, 'both stand')
      client.send({ cmd: 'unsubscribe', messageId: 10, unsubscriptions: [`${level}/+`] })
      await client.take('unsuback')
      await publisher.publishThrough(`${level}/a`, 'gone')
      await publisher.publishThrough(`${level}/b`, 'stands')
      assert.deepEqual(await client.drainPayloads(), ['both stand', 'stands'])
    })

    it(`[MQTT-3.10.4-5] [MQTT-3.10.4-6] [MQTT-2.2.1-6] [MQTT-3.10.4-5 v3.1.1] [MQTT-3.10.4-6 v3.1.1] [MQTT-2.3.1-7 v3.1.1] one UNSUBACK with the identifier answers several filters, even if none was subscribed ${over}`, async () => {
      const client = await broker.connect(version)
      const topics = [broker.unique(), broker.unique()]
      client.send({
        cmd: 'unsubscribe',
        messageId: 65_535,
        unsubscriptions: [broker.unique(), broker.unique()],
      })
      assert.equal((await client.expect('unsuback')).messageId, 65_535)
      await client.subscribe(topics.map(topic => ({ topic, qos: 0 })))
      client.send({ cmd: 'unsubscribe', messageId: 7, unsubscriptions: topics })
      assert.equal((await client.expect('unsuback')).messageId, 7)
      const publisher = await broker.connect(version)
      for (const topic of topics) await publisher.publishThrough(topic, 'gone')
      assert.deepEqual(await client.drain(), [])
    })

    it(`[MQTT-3.10.4-3] [MQTT-3.10.4-3 v3.1.1] a delivery that began before UNSUBSCRIBE is completed ${over}`, async () => {
      const clientId = broker.unique()
      const topic = broker.unique()
      const before = await broker.resume(version, clientId, false)
      await before.subscribe(topic, { qos: 2 })
      const publisher = await broker.connect(version)
      await publisher.publishThrough(topic, 'one', { qos: 1 })
      await publisher.publishThrough(topic, 'two', { qos: 2 })
      const one = await before.expect('publish')
      const two = await before.expect('publish')
      before.send({ cmd: 'unsubscribe', messageId: 1, unsubscriptions: [topic] })
      await before.expect('unsuback')
      before.send({ cmd: 'pubrec', messageId: two.messageId ?? 0 })
      await before.expect('pubrel')
      await before.drop()
      const client = await broker.resume(version, clientId, true)
      assert.equal((await client.take('publish')).messageId, one.messageId)
      assert.equal((await client.take('pubrel')).messageId, two.messageId)
    })
  }

  it('[MQTT-3.8.3-3] No Local keeps messages from their own publisher, and from nobody else', async () => {
    const topic = broker.unique()
    const client = await broker.connect(5)
    await client.subscribe([{ topic, qos: 1, nl: true }])
    const other = await broker.connect(5)
    await client.publishThrough(topic, 'own', { qos: 1 })
    await other.publishThrough(topic, 'of the other', { qos: 1 })
    assert.deepEqual(await client.drainPayloads(), ['of the other'])
  })

  it('[MQTT-3.8.3-3] No Local goes by the client identifier, also across connections', async () => {
    const topic = broker.unique()
    const clientId = broker.unique()
    const before = await broker.resume(5, clientId, false)
    await before.subscribe([{ topic, qos: 1, nl: true }])
    before.publish(topic, 'own', { qos: 1, messageId: 1 })
    await before.expect('puback')
    await before.drop()
    const client = await broker.resume(5, clientId, true)
    client.publish(topic, 'own', { qos: 1, messageId: 1 })
    await client.expect('puback')
    assert.deepEqual(await client.drain(), [])
  })

  it('[MQTT-3.8.3-4] No Local on a shared subscription is a protocol error', async () => {
    const client = await broker.connect(5)
    client.send({
      cmd: 'subscribe',
      messageId: 1,
      subscriptions: [{ topic: `$share/g/${broker.unique()}`, qos: 0, nl: true }],
    })
    await assertRefused(client, 0x82)
  })

  it('[MQTT-3.8.3-5] Retain Handling 3 is a protocol error', async () => {
    const client = await broker.connect(5)
    client.send(frame(0x82, Buffer.from([0, 1, 0]), field(broker.unique()), Buffer.from([0x30])))
    await assertRefused(client, 0x81, 0x82)
  })

  it('[MQTT-3.11.3-1] [MQTT-3.11.3-2] UNSUBACK has a code for each filter, in their order', async () => {
    const [one, other] = [broker.unique(), broker.unique()]
    const client = await broker.connect(5)
    await client.subscribe([
      { topic: one, qos: 0 },
      { topic: other, qos: 0 },
    ])
    client.send({ cmd: 'unsubscribe', messageId: 1, unsubscriptions: [one, broker.unique(), other, one] })
    assert.deepEqual((await client.expect('unsuback')).granted, [0x00, 0x11, 0x00, 0x11])
  })

  it('[MQTT-3.3.4-3] [MQTT-3.3.4-4] one copy carries the identifiers of all matching subscriptions that have one', async () => {
    const level = broker.unique()
    const client = await broker.connect(5)
    await client.subscribe(`${level}/#`, { qos: 1, properties: { subscriptionIdentifier: 268_435_455 } })
    await client.subscribe(`${level}/+`, { qos: 0, properties: { subscriptionIdentifier: 1 } })
    await client.subscribe(`${level}/a`, { qos: 0 })
    await client.subscribe(`${level}/b`, { qos: 0, properties: { subscriptionIdentifier: 3 } })
    const publisher = await broker.connect(5)
    await publisher.publishThrough(`${level}/a`, 'hello', { qos: 1 })
    const packets = await client.drain()
    assert.equal(packets.length, 1)
    const [packet] = packets
    assert(packet?.cmd === 'publish')
    assert.equal(packet.qos, 1)
    const identifiers = [packet.properties?.subscriptionIdentifier ?? []].flat()
    assert.deepEqual(
      identifiers.sort((a, b) => a - b),
      [1, 268_435_455],
    )
  })

  it('[MQTT-3.3.4-3] a subscription that is replaced has the new identifier, or none', async () => {
    const topic = broker.unique()
    const client = await broker.connect(5)
    const publisher = await broker.connect(5)
    const identifierOfNext = async (): Promise<number | number[] | undefined> => {
      await publisher.publishThrough(topic, 'hello')
      return (await client.expect('publish')).properties?.subscriptionIdentifier
    }
    await client.subscribe(topic, { properties: { subscriptionIdentifier: 4 } })
    assert.deepEqual([await identifierOfNext()].flat(), [4])
    await client.subscribe(topic, { properties: { subscriptionIdentifier: 5 } })
    assert.deepEqual([await identifierOfNext()].flat(), [5])
    await client.subscribe(topic)
    assert.equal(await identifierOfNext(), undefined)
  })

  it('[MQTT-4.13.1-1] Subscription Identifier 0 is a protocol error', async () => {
    const client = await broker.connect(5)
    client.send(frame(0x82, Buffer.from([0, 1, 2, 0x0b, 0]), field(broker.unique()), Buffer.from([0])))
    await assertRefused(client, 0x81, 0x82)
  })

  it('[MQTT-3.3.4-6] a PUBLISH with a Subscription Identifier is refused', async () => {
    const topic = broker.unique()
    const watcher = await broker.connect(5)
    await watcher.subscribe(topic)
    const client = await broker.connect(5)
    client.send(frame(0x30, field(topic), Buffer.from([2, 0x0b, 1]), Buffer.from('x')))
    await assertRefused(client, 0x81, 0x82)
    assert.deepEqual(await watcher.drain(), [])
  })
})

describe('A broker that does not offer wildcards', () => {
  const broker = useBroker({ wildcards: false })

  it('[MQTT-3.8.3-2 v3.1.1] refuses subscriptions with wildcards', async () => {
    const client = await broker.connect(4)
    const level = broker.unique()
    const { granted } = await client.subscribe([
      { topic: `${level}/#`, qos: 0 },
      { topic: `${level}/+`, qos: 0 },
      { topic: `${level}/a`, qos: 0 },
    ])
    assert.deepEqual(granted, [0x80, 0x80, 0])
  })
})
