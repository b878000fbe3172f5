import assert from 'node:assert/strict'
import type { IPublishPacket } from 'mqtt-packet'
import { field, frame, property, u16, u32, userPropertiesInOrder } from '../support/raw-packet.ts'
import { assertRefused, useBroker } from './harness.ts'

describe('PUBLISH properties and topic aliases (section 3.3.2.3)', () => {
  const broker = useBroker()

  it('[MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-20] the properties of a message reach its subscribers unaltered', async () => {
    const topic = broker.unique()
    const client = await broker.connect(5)
    await client.subscribe(topic, { qos: 1 })
    const publisher = await broker.connect(5)
    const sent: NonNullable<IPublishPacket['properties']> = {
      payloadFormatIndicator: true,
      responseTopic: 'reply/to/ü',
      correlationData: Buffer.from([0, 1, 0xff, 0]),
      contentType: 'application/vnd.example+ü',
    }
    for (const qos of [0, 1] as const) {
      await publisher.publishThrough(topic, 'hello', { qos, properties: sent })
      const { properties } = await client.expect('publish')
      assert.deepEqual({ ...properties }, sent)
    }
    await publisher.publishThrough(topic, 'hello', { properties: { payloadFormatIndicator: false } })
    assert.equal((await client.expect('publish')).properties?.payloadFormatIndicator ?? false, false)
  })

  it('[MQTT-3.3.2-17] [MQTT-3.3.2-18] User Properties reach subscribers in their order, names repeated, empty or special', async () => {
    const topic = broker.unique()
    const pairs: [string, string][] = [
      ['z', '1'],
      ['a', '2'],
      ['z', '3'],
      ['', ''],
      ['__proto__', 'x'],
      ['constructor', ''],
      ['a', '2'],
      ['ünï', '\u{1f347}'],
    ]
    const list = Buffer.concat(
      pairs.map(([name, value]) => property(0x26, Buffer.concat([field(name), field(value)]))),
    )
    const client = await broker.connect(5)
    await client.subscribe(topic)
    const publisher = await broker.connect(5)
    publisher.send(frame(0x30, field(topic), Buffer.from([list.length]), list, Buffer.from('hello')))
    assert.deepEqual(userPropertiesInOrder((await client.expect('publish')).bytes), pairs)
  })

  it('[MQTT-3.3.2-17] [MQTT-3.3.2-4] properties stay with a message that is retained, or that waits for its subscriber', async () => {
    const topic = broker.unique()
    const clientId = broker.unique()
    const before = await broker.resume(5, clientId, false)
    await before.subscribe(topic, { qos: 1 })
    await before.drop()
    const publisher = await broker.connect(5)
    const sent = { contentType: 'text/plain', userProperties: { name: 'value' } }
    await publisher.publishThrough(topic, 'hello', { qos: 1, retain: true, properties: sent })
    const client = await broker.resume(5, clientId, true)
    const late = await broker.connect(5)
    await late.subscribe(topic)
    for (const receiver of [client, late]) {
      const { properties } = await receiver.expect('publish')
      assert.equal(properties?.contentType, 'text/plain')
      assert.equal(properties?.userProperties?.['name'], 'value')
    }
  })

  it('[MQTT-3.3.2-6] a Message Expiry Interval is handed on, never greater than it came', async () => {
    const topic = broker.unique()
    const client = await broker.connect(5)
    await client.subscribe(topic)
    const publisher = await broker.connect(5)
    await publisher.publishThrough(topic, 'hello', { properties: { messageExpiryInterval: 100 } })
    const left = (await client.expect('publish')).properties?.messageExpiryInterval
    assert(left !== undefined && left <= 100 && left >= 90, `${left} seconds left`)
  })

  it('[MQTT-4.13.1-1] properties that PUBLISH has not, repeated ones and impossible lengths close the connection', async () => {
    const topic = field(broker.unique())
    for (const [what, list] of [
      ['Session Expiry Interval', property(0x11, u32(1))],
      ['Message Expiry Interval twice', Buffer.concat([property(0x02, u32(1)), property(0x02, u32(1))])],
      ['an unknown property', property(0x7e, u16(1))],
      ['a Response Topic longer than the packet', property(0x08, u16(500))],
      ['Payload Format Indicator 2', property(0x01, Buffer.from([2]))],
    ] as const) {
      const client = await broker.connect(5)
      client.send(frame(0x30, topic, Buffer.from([list.length]), list))
      await assertRefused(client, 0x81, 0x82).catch((error: unknown) => {
        throw new Error(what, { cause: error })
      })
    }
    const client = await broker.connect(5)
    client.send(frame(0x30, topic, Buffer.from([200])))
    await assertRefused(client, 0x81, 0x82)
  })
})

describe('Topic aliases (sections 3.1.2.11.5 and 3.3.2.3.4)', () => {
  const broker = useBroker({ topicAliasMaximum: 10 })

  it('[MQTT-3.3.2-12] each alias from 1 to the maximum announced is accepted, and can be set anew', async () => {
    const topics = [broker.unique(), broker.unique()]
    const client = await broker.connect(5)
    await client.subscribe(topics.map(topic => ({ topic, qos: 0 })))
    const publisher = await broker.open(5)
    const { properties } = await publisher.connect({ clientId: broker.unique() })
    const maximum = properties?.topicAliasMaximum ?? 0
    assert(maximum > 0)
    for (const topic of topics) {
      for (let topicAlias = 1; topicAlias <= maximum; topicAlias++) {
        publisher.publish(topic, 'set', { properties: { topicAlias } })
        publisher.publish('', 'used', { properties: { topicAlias } })
      }
    }
    await publisher.settle()
    const got = (await client.drain()).map(packet => (packet.cmd === 'publish' ? packet.topic : packet.cmd))
    assert.deepEqual(
      got,
      topics.flatMap(topic => Array.from({ length: 2 * maximum }, () => topic)),
    )
  })

  it('[MQTT-3.3.2-8] [MQTT-3.3.2-9] [MQTT-3.2.2-17] an alias of 0, or above the maximum, closes the connection, the latter with 0x94', async () => {
    const client = await broker.open(5)
    const { properties } = await client.connect({ clientId: broker.unique() })
    for (const [topicAlias, ...codes] of [
      [0, 0x81, 0x82, 0x94],
      [(properties?.topicAliasMaximum ?? 0) + 1, 0x94],
    ] as const) {
      const publisher = await broker.connect(5)
      publisher.send(frame(0x30, field(broker.unique()), Buffer.from([3, 0x23]), u16(topicAlias)))
      await assertRefused(publisher, ...codes)
    }
  })

  it('[MQTT-3.3.2-7] an alias does not outlast its connection, even if the session does', async () => {
    const clientId = broker.unique()
    const topic = broker.unique()
    const before = await broker.resume(5, clientId, false)
    await before.publishThrough(topic, 'hello', { properties: { topicAlias: 1 } })
    await before.drop()
    const client = await broker.resume(5, clientId, true)
    client.publish('', 'hello', { properties: { topicAlias: 1 } })
    await assertRefused(client, 0x82, 0x94)
  })

  it('[MQTT-3.1.2-26] [MQTT-3.3.2-11] [MQTT-3.3.2-8] the broker uses no alias above the maximum of the client, and not 0', async () => {
    const level = broker.unique()
    const client = await broker.connect(5, { properties: { topicAliasMaximum: 2 } })
    await client.subscribe(`${level}/#`)
    const publisher = await broker.connect(5)
    const sent = [0, 1, 2, 3, 0, 1, 2, 3, 3, 3].map(index => `${level}/${index}`)
    for (const topic of sent) await publisher.publishThrough(topic, topic)
    const known = new Map<number, string>()
    for (const packet of await client.drain()) {
      assert(packet.cmd === 'publish')
      const alias = packet.properties?.topicAlias
      assert(alias === undefined || (alias >= 1 && alias <= 2), `alias ${alias}`)
      if (alias !== undefined && packet.topic !== '') known.set(alias, packet.topic)
      const topic = packet.topic === '' ? known.get(alias ?? 0) : packet.topic
      assert.equal(topic, String(packet.payload))
    }
  })

  it('[MQTT-3.1.2-27] a client that announced no maximum, or 0, gets no alias', async () => {
    for (const properties of [{}, { topicAliasMaximum: 0 }]) {
      const topic = broker.unique()
      const client = await broker.connect(5, { properties })
      await client.subscribe(topic)
      const publisher = await broker.connect(5)
      for (let count = 0; count < 5; count++) {
        await publisher.publishThrough(topic, 'hello', { properties: { topicAlias: 1 } })
        const packet = await client.expect('publish')
        assert.deepEqual([packet.topic, packet.properties?.topicAlias], [topic, undefined])
      }
    }
  })
})
