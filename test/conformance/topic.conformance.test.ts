import assert from 'node:assert/strict'
import { connectFrame, field, frame } from '../support/raw-packet.ts'
import { assertConnectRefused, assertRefused, useBroker, versions } from './harness.ts'

const bad = {
  'a surrogate': [0x61, 0xed, 0xa0, 0x80],
  'an overlong form': [0xc0, 0xaf],
  'a stray continuation byte': [0x61, 0x80],
  'a character cut short': [0x61, 0xe2, 0x82],
  'a code point above U+10FFFF': [0xf4, 0x90, 0x80, 0x80],
  'a byte that UTF-8 has not': [0xff],
} as const

describe('Strings, topic names and filters (sections 1.5 and 4.7)', () => {
  const broker = useBroker()

  for (const { version, over } of versions) {
    const noProperties = version === 5 ? [Buffer.from([0])] : []
    const id = Buffer.from([0, 1])
    /** Packets that carry the string in question wherever a packet has a string, and nothing else wrong. */
    const packetsWith = (string: Uint8Array): Buffer[] => [
      frame(0x30, field(string), ...noProperties),
      frame(0x82, id, ...noProperties, field(string), Buffer.from([0])),
      frame(0xa2, id, ...noProperties, field(string)),
    ]
    const connectsWith = (string: Uint8Array): Buffer[] => {
      const clientId = field(broker.unique())
      return [
        connectFrame({ version, payload: [field(string)] }),
        connectFrame({
          version,
          flags: 0x06,
          payload: [clientId, ...noProperties, field(string), field('gone')],
        }),
        connectFrame({ version, flags: 0x82, payload: [clientId, field(string)] }),
      ]
    }

    it(`[MQTT-1.5.4-1] [MQTT-1.5.3-1 v3.1.1] [MQTT-3.3.2-1] [MQTT-3.3.2-1 v3.1.1] [MQTT-3.8.3-1] [MQTT-3.8.3-1 v3.1.1] [MQTT-3.10.3-1] [MQTT-3.10.3-1 v3.1.1] a topic name or filter that is not UTF-8 closes the connection ${over}`, async () => {
      for (const [what, bytes] of Object.entries(bad)) {
        for (const packet of packetsWith(Buffer.from(bytes))) {
          const client = await broker.connect(version)
          client.send(packet)
          await assertRefused(client, 0x81, 0x82, 0x8f, 0x90).catch((error: unknown) => {
            throw new Error(`${what} in ${packet.toString('hex')}`, { cause: error })
          })
        }
      }
    })

    it(`[MQTT-1.5.4-1] [MQTT-1.5.3-1 v3.1.1] [MQTT-3.1.3-4] [MQTT-3.1.3-4 v3.1.1] [MQTT-3.1.3-11] [MQTT-3.1.3-10 v3.1.1] [MQTT-3.1.3-12] [MQTT-3.1.3-11 v3.1.1] a client identifier, will topic or user name that is not UTF-8 is refused ${over}`, async () => {
      for (const [what, bytes] of Object.entries(bad)) {
        for (const packet of connectsWith(Buffer.from(bytes))) {
          const client = await broker.open(version)
          client.send(packet)
          await assertConnectRefused(client).catch((error: unknown) => {
            throw new Error(`${what} in ${packet.toString('hex')}`, { cause: error })
          })
        }
      }
    })

    it(`[MQTT-1.5.4-2] [MQTT-1.5.3-2 v3.1.1] [MQTT-4.7.3-2] [MQTT-4.7.3-2 v3.1.1] U+0000 in a string closes the connection ${over}`, async () => {
      const string = Buffer.from('a\0b')
      for (const packet of packetsWith(string)) {
        const client = await broker.connect(version)
        client.send(packet)
        await assertRefused(client, 0x81, 0x82, 0x8f, 0x90)
      }
      for (const packet of connectsWith(string)) {
        const client = await broker.open(version)
        client.send(packet)
        await assertConnectRefused(client)
      }
    })

    it(`[MQTT-1.5.4-3] [MQTT-1.5.3-3 v3.1.1] U+FEFF is a character of a topic as any other ${over}`, async () => {
      const name = broker.unique()
      const topic = `\u{feff}${name}\u{feff}`
      const client = await broker.connect(version)
      await client.subscribe([
        { topic, qos: 0 },
        { topic: name, qos: 0 },
      ])
      const publisher = await broker.connect(version)
      await publisher.publishThrough(topic, 'with')
      const packets = await client.drain()
      assert.equal(packets.length, 1)
      assert.deepEqual(packets[0]?.bytes, frame(0x30, field(topic), ...noProperties, Buffer.from('with')))
      await publisher.publishThrough(name, 'without')
      assert.deepEqual(await client.drainPayloads(), ['without'])
    })

    it(`[MQTT-3.3.2-3] [MQTT-3.3.2-3 v3.1.1] [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.1-2 v3.1.1] [MQTT-4.7.1-3 v3.1.1] what is delivered matches the filter, wildcards included ${over}`, async () => {
      const level = broker.unique()
      const topics = ['', '/', '/a', '/a/b', '/a/b/c', '/a/', '//b', 'x'].map(rest => level + rest)
      const matching = new Map([
        [`${level}/#`, ['', '/', '/a', '/a/b', '/a/b/c', '/a/', '//b']],
        [`${level}/+`, ['/', '/a']],
        [`${level}/+/b`, ['/a/b', '//b']],
        [`${level}/a/+`, ['/a/b', '/a/']],
        [`${level}/+/+/c`, ['/a/b/c']],
        [`${level}/a/#`, ['/a', '/a/b', '/a/b/c', '/a/']],
        [`+/a/b`, ['/a/b']],
      ])
      const publisher = await broker.connect(version)
      for (const [filter, rests] of matching) {
        const client = await broker.connect(version)
        await client.subscribe(filter)
        for (const topic of topics) publisher.publish(topic, topic)
        await publisher.settle()
        const expected = topics.filter(topic => rests.includes(topic.slice(level.length)))
        assert.deepEqual(await client.drainPayloads(), expected, filter)
      }
    })

    it(`[MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.1-2 v3.1.1] [MQTT-4.7.1-3 v3.1.1] [MQTT-4.7.3-1] [MQTT-4.7.3-1 v3.1.1] a filter with a misplaced wildcard, or an empty one, is not subscribed ${over}`, async () => {
      const level = broker.unique()
      for (const filter of [
        `${level}#`,
        `${level}/#/a`,
        `#/${level}`,
        `${level}/a+`,
        `${level}/+b/c`,
        `${level}/##`,
        '',
      ]) {
        const client = await broker.connect(version)
        client.send({ cmd: 'pingreq' }, frame(0x82, id, ...noProperties, field(filter), Buffer.from([0])))
        await client.expect('pingresp')
        const granted = await client.take('suback').then(
          suback => suback.granted,
          () => 'closed',
        )
        if (granted === 'closed') assert(client.isClosed, filter)
        else assert((granted[0] as number) >= 0x80, `${filter} is granted`)
      }
    })

    it(`[MQTT-4.7.2-1] [MQTT-4.7.2-1 v3.1.1] filters that begin with a wildcard do not match topics that begin with $ ${over}`, async () => {
      const name = broker.unique()
      const client = await broker.connect(version)
      await client.subscribe([
        { topic: '#', qos: 0 },
        { topic: `+/${name}`, qos: 0 },
        { topic: `+/${name}/#`, qos: 0 },
      ])
      const exact = await broker.connect(version)
      await exact.subscribe([{ topic: `$test/${name}`, qos: 0 }])
      const prefix = await broker.connect(version)
      await prefix.subscribe([{ topic: '$test/#', qos: 0 }])
      const publisher = await broker.connect(version)
      await publisher.publishThrough(`$test/${name}`, 'hidden')
      assert.deepEqual(await client.drain(), [])
      assert.deepEqual(await exact.drainPayloads(), ['hidden'])
      assert.deepEqual(await prefix.drainPayloads(), ['hidden'])
    })

    it(`[MQTT-4.7.3-4] [MQTT-4.7.3-4 v3.1.1] topics are compared as they are: case, spaces, empty levels and Unicode forms differ ${over}`, async () => {
      const name = broker.unique()
      const topics = [
        name,
        name.toUpperCase(),
        `${name}/`,
        `/${name}`,
        `${name}//`,
        ` ${name}`,
        `${name}\u{e9}`,
        `${name}e\u{301}`,
      ]
      const client = await broker.connect(version)
      const publisher = await broker.connect(version)
      for (const topic of topics) {
        await client.subscribe(topic)
        for (const published of topics) publisher.publish(published, published)
        await publisher.settle()
        assert.deepEqual(await client.drainPayloads(), [topic])
        client.send({ cmd: 'unsubscribe', messageId: 1, unsubscriptions: [topic] })
        await client.expect('unsuback')
      }
    })

    it(`[MQTT-4.7.3-3] [MQTT-4.7.3-3 v3.1.1] a topic of 65,535 bytes is taken or refused as a topic, and other clients do not notice ${over}`, async () => {
      const bystander = await broker.connect(version)
      const topic = broker.unique()
      await bystander.subscribe(topic)
      const client = await broker.connect(version)
      client.send(frame(0x30, field(Buffer.alloc(65_535, 'x')), ...noProperties), { cmd: 'pingreq' })
      await client.take('pingresp').catch(() => assertRefused(client, 0x81, 0x82, 0x90))
      const publisher = await broker.connect(version)
      await publisher.publishThrough(topic, 'unharmed')
      assert.deepEqual(await bystander.drainPayloads(), ['unharmed'])
    })
  }

  it('[MQTT-1.5.7-1] a User Property whose name or value is not UTF-8, or has U+0000, closes the connection', async () => {
    for (const bytes of [...Object.values(bad).map(list => Buffer.from(list)), Buffer.from('a\0b')]) {
      for (const pair of [
        [bytes, Buffer.from('value')],
        [Buffer.from('name'), bytes],
      ] as const) {
        const client = await broker.connect(5)
        const list = Buffer.concat([Buffer.from([0x26]), field(pair[0]), field(pair[1])])
        client.send(frame(0x30, field(broker.unique()), Buffer.from([list.length]), list))
        await assertRefused(client, 0x81, 0x82)
      }
    }
  })

  it('[MQTT-3.3.2-13] [MQTT-3.3.2-19] a Response Topic or Content Type that is not UTF-8 closes the connection', async () => {
    for (const identifier of [0x08, 0x03]) {
      for (const bytes of Object.values(bad)) {
        const client = await broker.connect(5)
        const list = Buffer.concat([Buffer.from([identifier]), field(Buffer.from(bytes))])
        client.send(frame(0x30, field(broker.unique()), Buffer.from([list.length]), list))
        await assertRefused(client, 0x81, 0x82, 0x90)
      }
    }
  })

  it('[MQTT-3.3.2-14] a Response Topic with a wildcard is refused', async () => {
    for (const responseTopic of ['a/+', 'a/#', '#']) {
      const client = await broker.connect(5)
      client.publish(broker.unique(), 'x', { properties: { responseTopic } })
      await assertRefused(client, 0x81, 0x82, 0x90)
    }
  })
})
