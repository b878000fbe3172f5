import assert from 'node:assert/strict'
import { field, frame } from '../support/raw-packet.ts'
import { useBroker } from './harness.ts'

describe('Shared subscriptions (section 4.8.2)', () => {
  const broker = useBroker()

  it('[MQTT-4.8.2-1] [MQTT-4.8.2-2] a shared filter without a share name, with a wildcard in it, or without a filter is not subscribed', async () => {
    for (const filter of [
      '$share/',
      '$share//a',
      '$share/g',
      '$share/g/',
      '$share/+/a',
      '$share/#/a',
      '$share/g+/a',
    ]) {
      const client = await broker.connect(5)
      client.send(frame(0x82, Buffer.from([0, 1, 0]), field(filter), Buffer.from([0])))
      const granted = await client.take('suback').then(
        suback => suback.granted,
        () => 'closed',
      )
      if (granted === 'closed') assert(client.isClosed, filter)
      else assert((granted[0] as number) >= 0x80, `${filter} is granted`)
    }
  })

  it('[MQTT-4.8.2-1] [MQTT-4.8.2-2] each message goes to one member of each group, wildcards included', async () => {
    const level = broker.unique()
    const group = async (name: string): Promise<Awaited<ReturnType<typeof broker.connect>>[]> => {
      const members = [await broker.connect(5), await broker.connect(5)]
      for (const member of members) await member.subscribe(`$share/${name}/${level}/+`, { qos: 1 })
      return members
    }
    const groups = [await group('one'), await group('other')]
    const publisher = await broker.connect(5)
    const sent = Array.from({ length: 10 }, (_, index) => String(index))
    for (const payload of sent) await publisher.publishThrough(`${level}/a`, payload, { qos: 1 })
    for (const members of groups) {
      const got = await Promise.all(members.map(member => member.drainPayloads()))
      assert.deepEqual(
        got
          .flat()
          .map(Number)
          .sort((a, b) => a - b)
          .map(String),
        sent,
      )
      assert(
        got.every(payloads => payloads.length > 0),
        'every member gets some',
      )
    }
  })

  it('[MQTT-4.8.2-3] each member gets messages at the QoS it was granted', async () => {
    const topic = broker.unique()
    const low = await broker.connect(5)
    await low.subscribe(`$share/low/${topic}`, { qos: 0 })
    const high = await broker.connect(5)
    await high.subscribe(`$share/high/${topic}`, { qos: 2 })
    const publisher = await broker.connect(5)
    for (const qos of [0, 1, 2] as const) {
      await publisher.publishThrough(topic, 'hello', { qos })
      assert.equal((await low.expect('publish')).qos, 0)
      assert.equal((await high.expect('publish')).qos, qos)
    }
  })

  it('a shared subscription gets no retained messages when it is made', async () => {
    const topic = broker.unique()
    const publisher = await broker.connect(5)
    await publisher.publishThrough(topic, 'kept', { qos: 1, retain: true })
    const client = await broker.connect(5)
    await client.subscribe(`$share/g/${topic}`, { qos: 1 })
    assert.deepEqual(await client.drain(), [])
  })

  it('[MQTT-4.8.2-4] a QoS 2 delivery that a disconnection cut off is completed with the same client, and nobody else gets it', async () => {
    const topic = broker.unique()
    const clientId = broker.unique()
    const before = await broker.resume(5, clientId, false)
    await before.subscribe(`$share/g/${topic}`, { qos: 2 })
    const publisher = await broker.connect(5)
    await publisher.publishThrough(topic, 'once', { qos: 2 })
    const { messageId } = await before.expect('publish')
    const other = await broker.connect(5)
    await other.subscribe(`$share/g/${topic}`, { qos: 2 })
    await before.drop()
    assert.deepEqual(await other.drain(), [])
    const client = await broker.resume(5, clientId, true)
    const again = await client.expect('publish')
    assert.deepEqual([again.messageId, again.dup, String(again.payload)], [messageId, true, 'once'])
    assert.deepEqual(await other.drain(), [])
  })

  it('[MQTT-4.8.2-5] a QoS 2 message whose receiver ended its session goes to nobody else', async () => {
    const topic = broker.unique()
    const client = await broker.connect(5)
    await client.subscribe(`$share/g/${topic}`, { qos: 2 })
    const publisher = await broker.connect(5)
    await publisher.publishThrough(topic, 'once', { qos: 2 })
    const { messageId = 0 } = await client.expect('publish')
    client.send({ cmd: 'pubrec', messageId })
    await client.expect('pubrel')
    const other = await broker.connect(5)
    await other.subscribe(`$share/g/${topic}`, { qos: 2 })
    await client.disconnect()
    await publisher.publishThrough(topic, 'next', { qos: 1 })
    assert.deepEqual(await other.drainPayloads(), ['next'])
  })

  it('[MQTT-4.8.2-5] a QoS 2 message that was sent to a client which ended its session goes to nobody else, one at QoS 1 does', async () => {
    const topic = broker.unique()
    const client = await broker.connect(5)
    await client.subscribe(`$share/g/${topic}`, { qos: 2 })
    const publisher = await broker.connect(5)
    for (const qos of [2, 1] as const) await publisher.publishThrough(topic, `at ${qos}`, { qos })
    await client.expect('publish')
    await client.expect('publish')
    const other = await broker.connect(5)
    await other.subscribe(`$share/g/${topic}`, { qos: 2 })
    await client.disconnect()
    assert.deepEqual(await other.drainPayloads(), ['at 1'])
  })

  it('[MQTT-4.8.2-6] a message refused by its receiver with 0x80 or above goes to nobody else', async () => {
    const topic = broker.unique()
    const client = await broker.connect(5)
    await client.subscribe(`$share/g/${topic}`, { qos: 2 })
    const publisher = await broker.connect(5)
    await publisher.publishThrough(topic, 'one', { qos: 1 })
    await publisher.publishThrough(topic, 'two', { qos: 2 })
    const one = await client.expect('publish')
    const two = await client.expect('publish')
    const other = await broker.connect(5)
    await other.subscribe(`$share/g/${topic}`, { qos: 2 })
    client.send({ cmd: 'puback', messageId: one.messageId ?? 0, reasonCode: 0x80 })
    client.send({ cmd: 'pubrec', messageId: two.messageId ?? 0, reasonCode: 0x80 })
    await client.settle()
    assert.deepEqual(await other.drain(), [])
    await client.disconnect()
    assert.deepEqual(await other.drain(), [])
  })
})
