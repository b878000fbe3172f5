import assert from 'node:assert/strict'
import { field, frame, readVariable } from '../support/raw-packet.ts'
import { assertRefused, useBroker, versions } from './harness.ts'

describe('PUBLISH at every QoS (sections 3.3 to 3.7, 4.3 and 4.6)', () => {
  const broker = useBroker()

  for (const { version, over } of versions) {
    const noProperties = version === 5 ? [Buffer.from([0])] : []

    it(`[MQTT-2.2.1-2] [MQTT-2.3.1-5 v3.1.1] [MQTT-2.2.2-1] [MQTT-4.3.1-1] [MQTT-4.3.1-1 v3.1.1] [MQTT-3.3.1-2] [MQTT-3.3.1-2 v3.1.1] QoS 0 is delivered as a bare PUBLISH without identifier, DUP or properties ${over}`, async () => {
      const topic = broker.unique()
      const watcher = await broker.connect(version)
      await watcher.subscribe(topic, { qos: 2 })
      const publisher = await broker.connect(version)
      publisher.publish(topic, 'hello')
      assert.deepEqual(
        (await watcher.expect('publish')).bytes,
        frame(0x30, field(topic), ...noProperties, Buffer.from('hello')),
      )
    })

    it(`[MQTT-1.5.5-1] lengths take as few bytes as they need ${over}`, async () => {
      const topic = broker.unique()
      const watcher = await broker.connect(version)
      await watcher.subscribe(topic)
      const publisher = await broker.connect(version)
      const overhead = 2 + topic.length + noProperties.length
      for (const length of [127, 128, 16_383, 16_384]) {
        publisher.publish(topic, Buffer.alloc(length - overhead, 'x'))
        const { bytes } = await watcher.expect('publish')
        const { value, next } = readVariable(bytes, 1)
        assert.deepEqual([value, next], [length, length < 128 ? 2 : length < 16_384 ? 3 : 4])
      }
    })

    it(`[MQTT-3.3.4-1] [MQTT-3.3.4-1 v3.1.1] [MQTT-2.2.1-5] [MQTT-2.3.1-6 v3.1.1] [MQTT-4.3.2-4] [MQTT-4.3.3-8] [MQTT-4.3.3-11] [MQTT-4.3.2-2 v3.1.1] [MQTT-4.3.3-2 v3.1.1] the broker answers as the QoS demands, under the publisher's identifier ${over}`, async () => {
      const topic = broker.unique()
      const client = await broker.connect(version)
      client.publish(topic, 'zero')
      assert.deepEqual(await client.drain(), [])
      client.publish(topic, 'one', { qos: 1, messageId: 65_535 })
      assert.equal((await client.expect('puback')).messageId, 65_535)
      client.publish(topic, 'two', { qos: 2, messageId: 4_660 })
      assert.equal((await client.expect('pubrec')).messageId, 4_660)
      client.send({ cmd: 'pubrel', messageId: 4_660 })
      assert.equal((await client.expect('pubcomp')).messageId, 4_660)
      assert.deepEqual(await client.drain(), [])
    })

    it(`[MQTT-2.2.1-4] [MQTT-2.3.1-4 v3.1.1] [MQTT-4.3.2-1] [MQTT-4.3.2-2] [MQTT-4.3.3-1] [MQTT-4.3.3-2] [MQTT-4.3.2-1 v3.1.1] [MQTT-4.3.3-1 v3.1.1] messages in flight have different identifiers, not zero, and no DUP ${over}`, async () => {
      const topic = broker.unique()
      const watcher = await broker.connect(version)
      await watcher.subscribe(topic, { qos: 2 })
      const publisher = await broker.connect(version)
      const identifiers = new Set<number | undefined>()
      for (let count = 0; count < 10; count++) {
        const qos = count % 2 === 0 ? 1 : 2
        await publisher.publishThrough(topic, 'hello', { qos })
        const packet = await watcher.expect('publish')
        assert.deepEqual([packet.qos, packet.dup], [qos, false])
        identifiers.add(packet.messageId)
      }
      assert.equal(identifiers.size, 10)
      assert(!identifiers.has(0) && !identifiers.has(undefined))
    })

    it(`[MQTT-3.3.1-3] [MQTT-3.3.1-3 v3.1.1] DUP of the publisher is not handed on ${over}`, async () => {
      const topic = broker.unique()
      const watcher = await broker.connect(version)
      await watcher.subscribe(topic, { qos: 1 })
      const publisher = await broker.connect(version)
      publisher.publish(topic, 'hello', { qos: 1, messageId: 1, dup: true })
      await publisher.expect('puback')
      assert.equal((await watcher.expect('publish')).dup, false)
    })

    it(`[MQTT-4.3.2-5] [MQTT-4.3.2-2 v3.1.1] after PUBACK the same identifier is a new message, DUP or not ${over}`, async () => {
      const topic = broker.unique()
      const watcher = await broker.connect(version)
      await watcher.subscribe(topic)
      const publisher = await broker.connect(version)
      await publisher.publishThrough(topic, 'first', { qos: 1, messageId: 5 })
      await publisher.publishThrough(topic, 'second', { qos: 1, messageId: 5, dup: true })
      assert.deepEqual(await watcher.drainPayloads(), ['first', 'second'])
    })

    it(`[MQTT-4.3.3-10] [MQTT-4.3.3-12] [MQTT-4.3.3-2 v3.1.1] a QoS 2 message repeated before PUBREL is delivered once, after PUBCOMP it is a new one ${over}`, async () => {
      const topic = broker.unique()
      const watcher = await broker.connect(version)
      await watcher.subscribe(topic)
      const publisher = await broker.connect(version)
      for (let count = 0; count < 3; count++) {
        publisher.publish(topic, 'first', { qos: 2, messageId: 5, dup: count > 0 })
        const pubrec = await publisher.expect('pubrec')
        assert.deepEqual([pubrec.messageId, pubrec.reasonCode ?? 0], [5, 0])
      }
      publisher.send({ cmd: 'pubrel', messageId: 5 })
      await publisher.expect('pubcomp')
      await publisher.publishThrough(topic, 'second', { qos: 2, messageId: 5 })
      assert.deepEqual(await watcher.drainPayloads(), ['first', 'second'])
    })

    it(`[MQTT-4.3.3-3] [MQTT-4.3.3-4] [MQTT-4.3.3-1 v3.1.1] PUBREC is answered with PUBREL under the same identifier, also when it is repeated ${over}`, async () => {
      const topic = broker.unique()
      const watcher = await broker.connect(version)
      await watcher.subscribe(topic, { qos: 2 })
      const publisher = await broker.connect(version)
      await publisher.publishThrough(topic, 'hello', { qos: 2 })
      const { messageId = 0 } = await watcher.expect('publish')
      assert.deepEqual(await watcher.drain(), [], 'nothing before PUBREC')
      watcher.send({ cmd: 'pubrec', messageId })
      assert.equal((await watcher.expect('pubrel')).messageId, messageId)
      watcher.send({ cmd: 'pubcomp', messageId })
      assert.deepEqual(await watcher.drain(), [])
    })

    it(`[MQTT-4.6.0-5] [MQTT-4.6.0-6] [MQTT-4.6.0-5 v3.1.1] [MQTT-4.6.0-6 v3.1.1] messages of one publisher keep their order at each QoS ${over}`, async () => {
      const topic = broker.unique()
      const watcher = await broker.connect(version)
      await watcher.subscribe(topic, { qos: 2 })
      const publisher = await broker.connect(version)
      for (const qos of [0, 1, 2] as const) {
        const payloads = Array.from({ length: 5 }, (_, index) => `${qos}-${index}`)
        payloads.forEach((payload, index) => publisher.publish(topic, payload, { qos, messageId: index + 1 }))
        if (qos === 2) {
          for (let messageId = 1; messageId <= 5; messageId++) {
            await publisher.take('pubrec')
            publisher.send({ cmd: 'pubrel', messageId })
          }
        }
        for (const payload of payloads) {
          const packet = await watcher.expect('publish')
          assert.deepEqual([String(packet.payload), packet.qos], [payload, qos])
        }
      }
    })

    it(`[MQTT-4.6.0-2] [MQTT-4.6.0-3] [MQTT-4.6.0-4] [MQTT-4.6.0-2 v3.1.1] [MQTT-4.6.0-3 v3.1.1] [MQTT-4.6.0-4 v3.1.1] [MQTT-4.6.0-6 v3.1.1] the broker acknowledges in the order of the messages, and releases in the order of PUBREC ${over}`, async () => {
      const topic = broker.unique()
      const client = await broker.connect(version)
      for (const qos of [1, 2] as const) {
        for (const messageId of [9, 3, 7]) client.publish(topic, 'hello', { qos, messageId })
        for (const messageId of [9, 3, 7]) {
          assert.equal((await client.expect(qos === 1 ? 'puback' : 'pubrec')).messageId, messageId)
        }
      }
      const watcher = await broker.connect(version)
      await watcher.subscribe(topic, { qos: 2 })
      const publisher = await broker.connect(version)
      const messageIds: number[] = []
      for (let count = 0; count < 3; count++) {
        await publisher.publishThrough(topic, 'hello', { qos: 2 })
        messageIds.push((await watcher.expect('publish')).messageId ?? 0)
      }
      for (const messageId of messageIds) watcher.send({ cmd: 'pubrec', messageId })
      for (const messageId of messageIds) assert.equal((await watcher.expect('pubrel')).messageId, messageId)
    })

    it(`[MQTT-3.3.1-4] [MQTT-3.3.1-4 v3.1.1] QoS 3 closes the connection ${over}`, async () => {
      const client = await broker.connect(version)
      client.send(frame(0x36, field(broker.unique()), Buffer.from([0, 1]), ...noProperties))
      await assertRefused(client, 0x81)
    })

    it(`[MQTT-2.2.1-3] [MQTT-2.3.1-1 v3.1.1] packet identifier 0 closes the connection ${over}`, async () => {
      const topic = broker.unique()
      const watcher = await broker.connect(version)
      await watcher.subscribe(topic)
      const zero = Buffer.from([0, 0])
      for (const packet of [
        frame(0x32, field(topic), zero, ...noProperties, Buffer.from('x')),
        frame(0x34, field(topic), zero, ...noProperties, Buffer.from('x')),
        frame(0x82, zero, ...noProperties, field(topic), Buffer.from([0])),
        frame(0xa2, zero, ...noProperties, field(topic)),
      ]) {
        const client = await broker.connect(version)
        client.send(packet)
        await assertRefused(client, 0x81, 0x82)
      }
      assert.deepEqual(await watcher.drain(), [])
    })

    it(`[MQTT-2.1.3-1] [MQTT-2.2.2-1 v3.1.1] [MQTT-2.2.2-2 v3.1.1] [MQTT-4.8.0-1 v3.1.1] [MQTT-4.13.1-1] reserved flags with another value close the connection ${over}`, async () => {
      const id = Buffer.from([0, 1])
      for (const [first, ...rest] of [[0x41, id], [0x58, id], [0x72, id], [0xc4]] as const) {
        const client = await broker.connect(version)
        client.send(frame(first, ...rest))
        await assertRefused(client, 0x81)
      }
    })

    it(`[MQTT-3.6.1-1] [MQTT-3.6.1-1 v3.1.1] flags of PUBREL other than 0010 close the connection ${over}`, async () => {
      for (const first of [0x60, 0x66, 0x6a]) {
        const client = await broker.connect(version)
        client.publish(broker.unique(), 'x', { qos: 2, messageId: 1 })
        await client.expect('pubrec')
        client.send(frame(first, Buffer.from([0, 1])))
        await assertRefused(client, 0x81)
      }
    })

    it(`[MQTT-4.8.0-1 v3.1.1] [MQTT-4.13.1-1] packets that only a broker sends close the connection ${over}`, async () => {
      for (const packet of [
        frame(0x90, Buffer.from([0, 1]), ...noProperties, Buffer.from([0])),
        frame(0xd0),
        frame(0x20, Buffer.from([0, 0]), ...noProperties),
      ]) {
        const client = await broker.connect(version)
        client.send(packet)
        await assertRefused(client, 0x81, 0x82)
      }
    })

    it(`[MQTT-3.3.2-2] [MQTT-3.3.2-2 v3.1.1] [MQTT-4.7.0-1] [MQTT-4.7.1-1 v3.1.1] a topic name with a wildcard closes the connection and goes to nobody ${over}`, async () => {
      const level = broker.unique()
      const watcher = await broker.connect(version)
      await watcher.subscribe(`${level}/#`)
      for (const topic of [`${level}/+`, `${level}/#`, `${level}/a+b`]) {
        const client = await broker.connect(version)
        client.send(frame(0x30, field(topic), ...noProperties))
        await assertRefused(client, 0x81, 0x82, 0x90)
      }
      assert.deepEqual(await watcher.drain(), [])
    })

    it(`[MQTT-4.7.3-1] [MQTT-4.7.3-1 v3.1.1] an empty topic name closes the connection ${over}`, async () => {
      const client = await broker.connect(version)
      client.send(frame(0x30, field(''), ...noProperties))
      await assertRefused(client, 0x81, 0x82, 0x90)
    })
  }

  it('[MQTT-3.3.5-2 v3.1.1] a PUBLISH that is not permitted is acknowledged, or closes the connection', async () => {
    const client = await broker.connect(4)
    client.publish('$SYS/broker/version', 'forged', { qos: 1, messageId: 9 })
    await client.take('puback').catch(() => client.closed())
  })

  it('[MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1] the codes of acknowledgements are of their tables', async () => {
    const topic = broker.unique()
    const client = await broker.connect(5)
    await client.subscribe(topic, { qos: 2 })
    client.publish(broker.unique(), 'to nobody', { qos: 1, messageId: 1 })
    assert([0x00, 0x10].includes((await client.expect('puback')).reasonCode ?? 0))
    client.publish(broker.unique(), 'to nobody', { qos: 2, messageId: 2 })
    assert([0x00, 0x10].includes((await client.expect('pubrec')).reasonCode ?? 0))
    client.send({ cmd: 'pubrel', messageId: 2 })
    assert.equal((await client.expect('pubcomp')).reasonCode ?? 0, 0x00)
    client.send({ cmd: 'pubrel', messageId: 333 })
    assert([0x00, 0x92].includes((await client.expect('pubcomp')).reasonCode ?? 0))
    client.send({ cmd: 'pubrec', messageId: 333 })
    assert([0x00, 0x92].includes((await client.expect('pubrel')).reasonCode ?? 0))
    client.publish(topic, 'hello', { qos: 2, messageId: 4 })
    await client.take('pubrec')
    client.send({ cmd: 'pubrel', messageId: 4 })
    const { messageId = 0 } = await client.take('publish')
    client.send({ cmd: 'pubrec', messageId })
    assert.equal((await client.take('pubrel')).reasonCode ?? 0, 0x00)
  })

  it('[MQTT-4.3.3-4] a PUBREC of 0x80 or above gets no PUBREL', async () => {
    const topic = broker.unique()
    const watcher = await broker.connect(5)
    await watcher.subscribe(topic, { qos: 2 })
    const publisher = await broker.connect(5)
    await publisher.publishThrough(topic, 'hello', { qos: 2 })
    const { messageId = 0 } = await watcher.expect('publish')
    watcher.send({ cmd: 'pubrec', messageId, reasonCode: 0x97 })
    assert.deepEqual(await watcher.drain(), [])
  })

  it('[MQTT-4.3.3-9] after a PUBREC of 0x80 or above the same identifier is a new message', async () => {
    const topic = broker.unique()
    const watcher = await broker.connect(5)
    await watcher.subscribe(topic)
    const client = await broker.connect(5)
    client.publish('$SYS/broker/version', 'not permitted', { qos: 2, messageId: 6 })
    const refusal = await client.expect('pubrec')
    assert((refusal.reasonCode ?? 0) >= 0x80, 'nobody may publish broker statistics')
    await client.publishThrough(topic, 'permitted', { qos: 2, messageId: 6 })
    assert.deepEqual(await watcher.drainPayloads(), ['permitted'])
  })
})
