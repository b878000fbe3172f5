import assert from 'node:assert/strict'
import { MqttHarness } from './support/mqtt-harness.ts'
import { wantRemotely } from '../support/remote-filters.ts'

const publish = (
  messageId: number,
  topic = 'a',
): Parameters<Awaited<ReturnType<MqttHarness['connect']>>['send']>[0] => ({
  cmd: 'publish',
  topic,
  payload: 'x',
  qos: 1,
  dup: false,
  retain: false,
  messageId,
})

describe('PUBACK', () => {
  it('waits for every node with a matching subscriber', async () => {
    const harness = new MqttHarness()
    wantRemotely(harness.remote, 'node-1', ['a'])
    wantRemotely(harness.remote, 'node-2', ['a'])
    const client = await harness.connect('c')
    client.send(publish(1))
    await harness.settle()
    const [one, two] = harness.forwarder.forwarded
    one?.acceptance?.settle()
    await harness.settle()
    assert.equal(client.of('puback').length, 0)
    two?.acceptance?.settle()
    await harness.settle()
    assert.equal(client.of('puback')[0]?.messageId, 1)
  })

  it('[MQTT-4.6.0-2] leaves in the order of the PUBLISH packets, whoever accepts first', async () => {
    const harness = new MqttHarness()
    wantRemotely(harness.remote, 'node-1', ['slow'])
    const client = await harness.connect('c')
    client.send(publish(1, 'slow'))
    client.send(publish(2, 'nobody'))
    await harness.settle()
    assert.equal(client.of('puback').length, 0)
    harness.forwarder.forwarded[0]?.acceptance?.settle()
    await harness.settle()
    assert.deepEqual(
      client.of('puback').map(({ messageId }) => messageId),
      [1, 2],
    )
  })

  it('does not leave, and nothing is mutated, while the node is suspended; QoS 0 flows', async () => {
    const harness = new MqttHarness()
    const subscriber = await harness.connect('s')
    await harness.subscribe(subscriber, 'a', 1)
    const client = await harness.connect('c')
    harness.ownership.mayAct = false
    harness.broker.sessions.setSuspended(true)
    const other = await harness.connect('other')
    assert.equal(other.of('connack')[0]?.reasonCode, 0x88)
    client.send({ cmd: 'publish', topic: 'a', payload: 'zero', qos: 0, dup: false, retain: false })
    client.send(publish(1))
    await harness.settle()
    assert.deepEqual(
      subscriber.of('publish').map(({ payload }) => String(payload)),
      ['zero'],
    )
    assert.equal(client.of('puback').length, 0)
    harness.ownership.mayAct = true
    harness.broker.sessions.setSuspended(false)
    await harness.settle()
    assert.equal(subscriber.of('publish').length, 2)
    assert.equal(client.of('puback')[0]?.messageId, 1)
  })

  it('that was ready when the lease ran out is held back, not lost', async () => {
    const harness = new MqttHarness()
    const client = await harness.connect('c')
    client.send(publish(1)) // routed; its PUBACK leaves at the end of the tick
    harness.ownership.mayAct = false
    await harness.settle()
    assert.equal(client.of('puback').length, 0)
    harness.ownership.mayAct = true
    harness.broker.sessions.setSuspended(false)
    await harness.settle()
    assert.equal(client.of('puback').length, 1)
  })

  it('connections whose traffic is held are closed after suspendHoldMs', async () => {
    const harness = new MqttHarness({ suspendHoldMs: 5000 })
    const held = await harness.connect('held')
    const idle = await harness.connect('idle')
    harness.ownership.mayAct = false
    harness.broker.sessions.setSuspended(true)
    held.send(publish(1))
    await harness.clock.advance(6000)
    assert.equal(held.of('disconnect')[0]?.reasonCode, 0x89)
    assert.ok(!idle.isClosed)
  })

  it('[MQTT-3.3.4-9] more publishes than the Receive Maximum without one disconnect a v5 client with 0x93', async () => {
    const harness = new MqttHarness({ receiveMax: 2 })
    harness.remote.node('node-1') // wants everything, and never accepts
    const client = await harness.connect('c')
    for (const messageId of [1, 2, 3]) client.send(publish(messageId))
    await harness.settle()
    assert.equal(client.of('disconnect')[0]?.reasonCode, 0x93)
  })

  it('more than the Receive Maximum outstanding stops reading a 3.1.1 client until half are acknowledged', async () => {
    const harness = new MqttHarness({ receiveMax: 4 })
    wantRemotely(harness.remote, 'node-1', ['a'])
    const client = await harness.connect('c', {}, 4)
    for (const messageId of [1, 2, 3, 4, 5]) client.send(publish(messageId))
    await harness.settle()
    assert.ok(client.isPaused && !client.isClosed)
    assert.equal(harness.forwarder.forwarded.length, 4)
    for (const { acceptance } of harness.forwarder.forwarded.slice(0, 4)) acceptance?.settle()
    await harness.settle()
    assert.ok(!client.isPaused)
    assert.equal(harness.forwarder.forwarded.length, 5)
  })

  it('a publisher is not read while the queue to a node that gets its messages is full; others are', async () => {
    const harness = new MqttHarness()
    wantRemotely(harness.remote, 'node-1', ['a'])
    wantRemotely(harness.remote, 'node-2', ['b'])
    const affected = await harness.connect('c')
    const other = await harness.connect('d')
    harness.forwarder.full.add('node-1')
    for (const id of [1, 2]) {
      affected.send(publish(id))
      other.send(publish(id, 'b'))
    }
    affected.send({ cmd: 'publish', topic: 'a', payload: 'x', qos: 0, dup: false, retain: false })
    other.send({ cmd: 'publish', topic: 'a', payload: 'x', qos: 0, dup: false, retain: false })
    await harness.settle()
    assert.deepEqual([affected.isPaused, other.isPaused], [true, false])
    const topics = (): string[] => harness.forwarder.forwarded.map(({ topic }) => topic)
    assert.deepEqual(topics(), ['a', 'b', 'b', 'a']) // QoS 0 waits for nobody
    harness.broker.wake() // some other queue has room
    await harness.settle()
    assert.ok(affected.isPaused)
    harness.forwarder.full.clear()
    harness.broker.wake()
    await harness.settle()
    assert.ok(!affected.isPaused)
    assert.deepEqual(topics(), ['a', 'b', 'b', 'a', 'a', 'a'])
  })
})

describe('a slow consumer', () => {
  it('loses QoS 0 beyond its bound, counted, and nobody else does', async () => {
    const harness = new MqttHarness()
    const slow = await harness.connect('slow')
    const quick = await harness.connect('quick')
    await harness.subscribe(slow, 'a', 0)
    await harness.subscribe(quick, 'a', 0)
    const publisher = await harness.connect('p')
    slow.isStalled = true
    const payload = Buffer.alloc(512 * 1024)
    for (let i = 0; i < 30; i++) {
      publisher.send({ cmd: 'publish', topic: 'a', payload, qos: 0, dup: false, retain: false })
      await harness.settle()
    }
    assert.equal(quick.of('publish').length, 30)
    assert.ok(harness.broker.stats.droppedSlowConsumer >= 12)
  })

  it('keeps at most inflightMax QoS 1 messages in flight and the rest in its queue, bounded', async () => {
    const harness = new MqttHarness({ inflightMax: 2, queueMessagesMax: 5 })
    const slow = await harness.connect('slow')
    await harness.subscribe(slow, 'a', 1)
    const publisher = await harness.connect('p')
    for (let messageId = 1; messageId <= 8; messageId++) publisher.send(publish(messageId))
    await harness.settle()
    assert.equal(slow.of('publish').length, 2)
    assert.equal(harness.broker.stats.droppedQueueFull, 3)
    for (const { messageId } of slow.of('publish')) slow.send({ cmd: 'puback', messageId: messageId ?? 0 })
    await harness.settle()
    assert.equal(slow.of('publish').length, 4)
  })

  it('[MQTT-3.1.2-24] is not sent more than its Maximum Packet Size', async () => {
    const harness = new MqttHarness()
    const small = await harness.connect('small', { properties: { maximumPacketSize: 50 } })
    await harness.subscribe(small, 'a', 1)
    const publisher = await harness.connect('p')
    publisher.send({ ...publish(1), payload: Buffer.alloc(100) } as ReturnType<typeof publish>)
    publisher.send(publish(2))
    await harness.settle()
    assert.equal(small.of('publish').length, 1)
    assert.equal(harness.broker.stats.droppedTooLarge, 1)
  })
})

describe('a will', () => {
  const will = { topic: 'gone', payload: Buffer.from('bye'), qos: 1 as const, retain: false }

  async function witness(harness: MqttHarness): Promise<Awaited<ReturnType<MqttHarness['connect']>>> {
    const client = await harness.connect('witness')
    await harness.subscribe(client, 'gone', 1)
    return client
  }

  it('[MQTT-3.1.2-8] is published when the client vanishes', async () => {
    const harness = new MqttHarness()
    const witnessed = await witness(harness)
    ;(await harness.connect('c', { will })).vanish()
    await harness.settle()
    assert.equal(String(witnessed.of('publish')[0]?.payload), 'bye')
  })

  it('[MQTT-3.14.4-3] is not published after DISCONNECT', async () => {
    const harness = new MqttHarness()
    const witnessed = await witness(harness)
    ;(await harness.connect('c', { will })).send({ cmd: 'disconnect', reasonCode: 0 })
    await harness.settle()
    assert.equal(witnessed.of('publish').length, 0)
  })

  it('[MQTT-3.1.3-9] waits for its delay and is dropped when the client returns in time', async () => {
    const harness = new MqttHarness()
    const witnessed = await witness(harness)
    const terms = {
      clean: false,
      properties: { sessionExpiryInterval: 100 },
      will: { ...will, properties: { willDelayInterval: 10 } },
    }
    ;(await harness.connect('c', terms)).vanish()
    await harness.clock.advance(9000)
    const back = await harness.connect('c', terms)
    await harness.clock.advance(20_000)
    assert.equal(witnessed.of('publish').length, 0)
    back.vanish()
    await harness.clock.advance(11_000)
    assert.equal(witnessed.of('publish').length, 1)
  })
})
