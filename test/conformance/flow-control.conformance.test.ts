import assert from 'node:assert/strict'
import type { RawClient } from '../support/raw-client.ts'
import { assertDisconnect, assertRefused, useBroker } from './harness.ts'

/** The payloads of the PUBLISH packets that are there. */
async function publishes(client: RawClient): Promise<{ payload: string; messageId: number; qos: number }[]> {
  return (await client.drain()).map(packet => {
    assert(packet.cmd === 'publish')
    return { payload: String(packet.payload), messageId: packet.messageId ?? 0, qos: packet.qos }
  })
}

describe('Flow control and packet sizes (sections 4.9, 3.1.2.11 and 3.2.2.3)', () => {
  const broker = useBroker({ receiveMaximum: 5, maximumPacketSize: 2000 })

  it('[MQTT-3.3.4-9] [MQTT-4.9.0-1] [MQTT-4.9.0-2] the broker has at most Receive Maximum messages unacknowledged, and goes on as they are acknowledged', async () => {
    const topic = broker.unique()
    const client = await broker.connect(5, { properties: { receiveMaximum: 2 } })
    await client.subscribe(topic, { qos: 2 })
    const publisher = await broker.connect(5)
    for (const [index, qos] of ([1, 2, 1, 2, 1] as const).entries()) {
      await publisher.publishThrough(topic, String(index), { qos })
    }
    const [first, second, ...more] = await publishes(client)
    assert(first !== undefined && second !== undefined)
    assert.deepEqual([first.payload, second.payload, more.length], ['0', '1', 0])
    client.send({ cmd: 'puback', messageId: first.messageId })
    const [third, ...tooMany] = await publishes(client)
    assert.deepEqual([third?.payload, tooMany.length], ['2', 0])
    client.send({ cmd: 'pubrec', messageId: second.messageId })
    await client.expect('pubrel')
    assert.deepEqual(await publishes(client), [], 'PUBREC frees nothing')
    client.send({ cmd: 'pubcomp', messageId: second.messageId })
    const [fourth] = await publishes(client)
    assert(fourth !== undefined)
    assert.equal(fourth.payload, '3')
    client.send({ cmd: 'pubrec', messageId: fourth.messageId, reasonCode: 0x80 })
    assert.equal((await publishes(client))[0]?.payload, '4', 'a PUBREC of 0x80 or above does')
  })

  it('[MQTT-3.3.4-10] [MQTT-4.9.0-3] with Receive Maximum used up, everything else goes on', async () => {
    const topic = broker.unique()
    const client = await broker.connect(5, { properties: { receiveMaximum: 1 } })
    await client.subscribe(topic, { qos: 1 })
    const publisher = await broker.connect(5)
    await publisher.publishThrough(topic, 'one', { qos: 1 })
    await publisher.publishThrough(topic, 'two', { qos: 1 })
    assert.equal((await publishes(client)).length, 1)
    await client.subscribe(broker.unique(), { qos: 1 })
    client.send({ cmd: 'unsubscribe', messageId: 3, unsubscriptions: [broker.unique()] })
    await client.expect('unsuback')
    await client.publishThrough(broker.unique(), 'of its own', { qos: 1 })
    await client.publishThrough(broker.unique(), 'of its own', { qos: 2 })
    await publisher.publishThrough(topic, 'at QoS 0', { qos: 0 })
    assert.deepEqual(await client.drainPayloads(), ['at QoS 0'])
  })

  it('[MQTT-3.3.4-7] more unacknowledged messages than the Receive Maximum of the broker close the connection with 0x93', async () => {
    const client = await broker.open(5)
    const { properties } = await client.connect({ clientId: broker.unique() })
    const receiveMaximum = properties?.receiveMaximum ?? 65_535
    const topic = broker.unique()
    for (let messageId = 1; messageId <= receiveMaximum; messageId++) {
      client.publish(topic, 'hello', { qos: 2, messageId })
      await client.expect('pubrec')
    }
    client.publish(topic, 'one too many', { qos: 2, messageId: receiveMaximum + 1 })
    await assertRefused(client, 0x93)
  })

  it('[MQTT-3.1.2-24] [MQTT-3.1.2-25] a message too large for a client is not sent to it and counts as delivered', async () => {
    const topic = broker.unique()
    const client = await broker.connect(5, { properties: { maximumPacketSize: 100, receiveMaximum: 1 } })
    await client.subscribe(topic, { qos: 1 })
    const other = await broker.connect(5)
    await other.subscribe(topic)
    const publisher = await broker.connect(5)
    await publisher.publishThrough(topic, 'x'.repeat(100), { qos: 1 })
    await publisher.publishThrough(topic, 'x'.repeat(100), { qos: 0 })
    await publisher.publishThrough(topic, 'small', { qos: 1 })
    assert.deepEqual(await client.drainPayloads(), ['small'])
    assert.equal((await other.drain()).length, 3)
  })

  it('[MQTT-3.1.2-24] a PUBLISH of exactly the Maximum Packet Size is sent', async () => {
    const topic = broker.unique()
    const maximumPacketSize = 100
    const client = await broker.connect(5, { properties: { maximumPacketSize } })
    await client.subscribe(topic)
    const publisher = await broker.connect(5)
    const overhead = 2 + 2 + topic.length + 1
    await publisher.publishThrough(topic, 'x'.repeat(maximumPacketSize - overhead + 1))
    await publisher.publishThrough(topic, 'y'.repeat(maximumPacketSize - overhead))
    const packets = await client.drain()
    assert.deepEqual(
      packets.map(packet => packet.bytes.length),
      [maximumPacketSize],
    )
  })

  it('[MQTT-3.2.2-15] a packet above the Maximum Packet Size of the broker closes the connection with 0x95', async () => {
    const client = await broker.open(5)
    const { properties } = await client.connect({ clientId: broker.unique() })
    const { maximumPacketSize } = properties ?? {}
    assert(maximumPacketSize !== undefined)
    client.publish(broker.unique(), Buffer.alloc(maximumPacketSize))
    await assertRefused(client, 0x95)
  })

  it('[MQTT-3.4.2-2] [MQTT-3.4.2-3] [MQTT-3.5.2-2] [MQTT-3.5.2-3] [MQTT-3.6.2-2] [MQTT-3.6.2-3] [MQTT-3.7.2-2] [MQTT-3.7.2-3] acknowledgements grow by no property beyond the Maximum Packet Size', async () => {
    const topic = `${broker.unique()}-${'x'.repeat(12)}`
    const maximumPacketSize = 2 + 2 + topic.length + 2 + 1 + 1
    const client = await broker.connect(5, { properties: { maximumPacketSize } })
    await client.subscribe(topic, { qos: 2 })
    client.publish('$SYS/broker/version', 'not permitted', { qos: 1, messageId: 1 })
    client.publish('$SYS/broker/version', 'not permitted', { qos: 2, messageId: 2 })
    client.send({ cmd: 'pubrel', messageId: 444 })
    client.send({ cmd: 'pubrec', messageId: 444 })
    client.publish(topic, 'x', { qos: 2, messageId: 3 })
    client.send({ cmd: 'pubrel', messageId: 3 })
    const publish = await client.take('publish')
    client.send({ cmd: 'pubrec', messageId: publish.messageId ?? 0 })
    await client.settle()
    const packets = await client.drain()
    for (const { cmd, bytes } of packets)
      assert(bytes.length <= maximumPacketSize, `${cmd} of ${bytes.length} bytes`)
    const kinds = packets.map(({ cmd }) => cmd)
    for (const kind of ['puback', 'pubrec', 'pubrel', 'pubcomp'] as const)
      assert(kinds.includes(kind), `no ${kind}`)
  })

  it('[MQTT-3.9.2-1] [MQTT-3.9.2-2] [MQTT-3.11.2-1] [MQTT-3.11.2-2] SUBACK and UNSUBACK grow by no property beyond the Maximum Packet Size', async () => {
    const maximumPacketSize = 20
    const client = await broker.connect(5, { properties: { maximumPacketSize } })
    const refused = await client.subscribe(`$share/g/${broker.unique()}/#/x`).catch(() => undefined)
    assert(refused === undefined ? client.isClosed : refused.bytes.length <= maximumPacketSize)
    const other = await broker.connect(5, { properties: { maximumPacketSize } })
    assert((await other.subscribe(broker.unique())).bytes.length <= maximumPacketSize)
    other.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['never subscribed'] })
    assert((await other.expect('unsuback')).bytes.length <= maximumPacketSize)
  })

  it('[MQTT-3.2.2-19] [MQTT-3.2.2-20] a CONNACK that refuses grows by no property beyond the Maximum Packet Size', async () => {
    const client = await broker.open(5)
    const maximumPacketSize = 8
    client.send({
      cmd: 'connect',
      protocolVersion: 5,
      clientId: broker.unique(),
      clean: true,
      properties: { maximumPacketSize, authenticationMethod: 'NO-SUCH-METHOD' },
    })
    const [connack] = await client.closed()
    assert(connack?.cmd === 'connack' && connack.bytes.length <= maximumPacketSize)
  })

  it('[MQTT-3.14.2-3] [MQTT-3.14.2-4] DISCONNECT grows by no property beyond the Maximum Packet Size', async () => {
    const maximumPacketSize = 20
    const client = await broker.connect(5, { properties: { maximumPacketSize } })
    client.publish('a/+/wildcard', 'x')
    const [disconnect] = await client.closed()
    assertDisconnect(disconnect)
    assert(disconnect !== undefined && disconnect.bytes.length <= maximumPacketSize)
  })

  it('[MQTT-3.1.2-29] with Request Problem Information 0 acknowledgements carry neither Reason String nor User Property', async () => {
    const client = await broker.connect(5, { properties: { requestProblemInformation: false } })
    client.publish(broker.unique(), 'to nobody', { qos: 1, messageId: 1 })
    client.publish(broker.unique(), 'to nobody', { qos: 2, messageId: 2 })
    client.send(
      { cmd: 'pubrel', messageId: 2 },
      { cmd: 'pubrel', messageId: 444 },
      { cmd: 'pubrec', messageId: 444 },
    )
    client.send({ cmd: 'unsubscribe', messageId: 3, unsubscriptions: [broker.unique()] })
    client.send({ cmd: 'subscribe', messageId: 4, subscriptions: [{ topic: broker.unique(), qos: 0 }] })
    const packets = await client.drain()
    assert.equal(packets.length, 7)
    for (const packet of packets) {
      const properties: object = 'properties' in packet ? (packet.properties ?? {}) : {}
      assert(!('reasonString' in properties) && !('userProperties' in properties), packet.cmd)
    }
    client.send({ cmd: 'subscribe', messageId: 5, subscriptions: [{ topic: '$share/', qos: 0 }] })
    const refused = await client.take('suback').catch(() => undefined)
    assert(refused === undefined ? client.isClosed : refused.properties?.reasonString === undefined)
  })
})
