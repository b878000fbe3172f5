import assert from 'node:assert/strict'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import { MqttHarness } from './support/mqtt-harness.ts'

describe('an MQTT client', () => {
  let harness: MqttHarness
  beforeEach(() => {
    harness = new MqttHarness()
  })

  it('[MQTT-3.1.0-1] is disconnected when its first packet is not CONNECT', () => {
    const client = harness.open()
    client.send({ cmd: 'pingreq' })
    assert.ok(client.isClosed)
    assert.deepEqual(client.received, [])
  })

  it('[MQTT-3.1.0-2] is disconnected for a second CONNECT', async () => {
    const client = await harness.connect('c')
    client.send({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 5,
      clientId: 'c',
      clean: true,
      keepalive: 0,
    })
    assert.ok(client.isClosed)
    assert.equal(client.of('disconnect')[0]?.reasonCode, 0x82)
  })

  it('[MQTT-3.1.2-2] gets return code 1 for a protocol level nobody speaks', () => {
    const client = harness.open(4)
    client.sendBytes(Buffer.from([0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 9, 2, 0, 0, 0, 1, 0x61]))
    assert.equal(client.of('connack')[0]?.returnCode, 1)
    assert.ok(client.isClosed)
  })

  it('is closed for garbage while others go on', async () => {
    const bystander = await harness.connect('bystander')
    const vandal = harness.open()
    vandal.sendBytes(Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'))
    assert.ok(vandal.isClosed)
    bystander.send({ cmd: 'pingreq' })
    await harness.settle()
    assert.equal(bystander.of('pingresp').length, 1)
  })

  it('is closed when it sends no complete CONNECT within ten seconds', async () => {
    const client = harness.open()
    client.sendBytes(Buffer.from([0x10, 40, 0]))
    await harness.clock.advance(9000)
    assert.ok(!client.isClosed)
    await harness.clock.advance(2500)
    assert.ok(client.isClosed)
  })

  it('[MQTT-3.1.2-22] is disconnected after one and a half keep alives of silence, not before', async () => {
    const client = await harness.connect('c', { keepalive: 10 })
    await harness.clock.advance(14_000)
    client.send({ cmd: 'pingreq' })
    await harness.clock.advance(14_000)
    assert.ok(!client.isClosed)
    await harness.clock.advance(2500)
    assert.ok(client.isClosed)
    assert.equal(client.of('disconnect')[0]?.reasonCode, 0x8d)
  })

  it('[MQTT-3.2.2-16] is told the client identifier it was assigned', async () => {
    const client = await harness.connect('')
    const assigned = client.of('connack')[0]?.properties?.assignedClientIdentifier ?? ''
    assert.match(assigned, /^auto-[0-9a-f]{24}$/)
  })

  it('[MQTT-3.1.3-8 v3.1.1] is refused without a client identifier and a clean session', async () => {
    const client = harness.open(4)
    client.sendBytes(Buffer.from([0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 0, 0, 0, 0, 0]))
    assert.equal(client.of('connack')[0]?.returnCode, 2)
    assert.ok(client.isClosed)
  })

  for (const version of [3, 4, 5] as const) {
    it(`subscribes, receives at QoS 0 and 1, and unsubscribes, protocol level ${version}`, async () => {
      const subscriber = await harness.connect('sub', {}, version)
      const publisher = await harness.connect('pub', {}, version)
      await harness.subscribe(subscriber, 'a/+', 1)
      assert.deepEqual(subscriber.of('suback')[0]?.granted, [1])
      publisher.send({ cmd: 'publish', topic: 'a/b', payload: 'zero', qos: 0, dup: false, retain: false })
      publisher.send({
        cmd: 'publish',
        topic: 'a/b',
        payload: 'one',
        qos: 1,
        dup: false,
        retain: false,
        messageId: 7,
      })
      await harness.settle()
      assert.equal(publisher.of('puback')[0]?.messageId, 7)
      const received = subscriber.of('publish').map(({ payload, qos }) => [String(payload), qos])
      assert.deepEqual(received, [
        ['zero', 0],
        ['one', 1],
      ])
      subscriber.send({ cmd: 'unsubscribe', messageId: 9, unsubscriptions: ['a/+'] })
      await harness.settle()
      assert.equal(subscriber.of('unsuback')[0]?.messageId, 9)
      publisher.send({ cmd: 'publish', topic: 'a/b', payload: 'late', qos: 0, dup: false, retain: false })
      await harness.settle()
      assert.equal(subscriber.of('publish').length, 2)
    })
  }

  it('[MQTT-3.1.4-3] is disconnected with 0x8E when the same client id connects again', async () => {
    const first = await harness.connect('c')
    const second = await harness.connect('c')
    assert.equal(first.of('disconnect')[0]?.reasonCode, 0x8e)
    assert.ok(first.isClosed)
    assert.equal(second.of('connack')[0]?.reasonCode, 0)
    assert.ok(!second.isClosed)
    // The client id stayed claimed all along.
    assert.deepEqual(harness.ownership.claimed, ['c'])
    assert.deepEqual(harness.ownership.released, [])
  })

  it('is the last of several CONNECTs with one id that race for a claim', async () => {
    harness.ownership.isHolding = true
    const racers = [await harness.connect('c'), await harness.connect('c'), await harness.connect('c')]
    harness.ownership.answerHeld()
    await harness.settle()
    assert.deepEqual(
      racers.map(({ isClosed }) => isClosed),
      [true, true, false],
    )
    assert.equal(harness.broker.sessions.sessionCount, 1)
  })

  it('gets 0x88 when its client id cannot be claimed', async () => {
    harness.ownership.answer = () => ({ status: 'refused', reason: 'unavailable' })
    const client = await harness.connect('c')
    assert.equal(client.of('connack')[0]?.reasonCode, 0x88)
    assert.ok(client.isClosed)
  })

  it('gives its client id back when it vanishes before its claim is answered', async () => {
    harness.ownership.isHolding = true
    const client = await harness.connect('c')
    client.vanish()
    harness.ownership.answerHeld()
    await harness.settle()
    assert.deepEqual(harness.ownership.released, ['c'])
    assert.equal(harness.broker.sessions.sessionCount, 0)
  })

  for (const name of ['__proto__', 'constructor', 'hasOwnProperty', 'toString']) {
    it(`may be called ${name}, and use it as topic and filter`, async () => {
      const client = await harness.connect(name)
      await harness.subscribe(client, `${name}/${name}`, 1)
      client.send({
        cmd: 'publish',
        topic: `${name}/${name}`,
        payload: 'x',
        qos: 0,
        dup: false,
        retain: false,
      })
      await harness.settle()
      assert.equal(client.of('publish').length, 1)
    })
  }

  it('[MQTT-3.8.3-3] does not get its own messages back with No Local', async () => {
    const client = await harness.connect('c')
    client.send({
      cmd: 'subscribe',
      messageId: 1,
      subscriptions: [{ topic: 'a', qos: 0, nl: true, rap: false, rh: 0 }],
    })
    client.send({ cmd: 'publish', topic: 'a', payload: 'x', qos: 0, dup: false, retain: false })
    await harness.settle()
    assert.equal(client.of('publish').length, 0)
  })
})

describe('a session', () => {
  const persistent = { clean: false, properties: { sessionExpiryInterval: 100 } }

  it('[MQTT-3.2.2-2] is present for the client that returns, with its subscriptions and messages in order', async () => {
    const harness = new MqttHarness()
    const first = await harness.connect('c', persistent)
    assert.equal(first.of('connack')[0]?.sessionPresent, false)
    await harness.subscribe(first, 'a', 1)
    first.vanish()
    const publisher = await harness.connect('p')
    for (const payload of ['1', '2', '3']) {
      publisher.send({
        cmd: 'publish',
        topic: 'a',
        payload,
        qos: 1,
        dup: false,
        retain: false,
        messageId: Number(payload),
      })
    }
    await harness.settle()
    assert.equal(publisher.of('puback').length, 3)
    const second = await harness.connect('c', persistent)
    assert.equal(second.of('connack')[0]?.sessionPresent, true)
    assert.deepEqual(
      second.of('publish').map(({ payload }) => String(payload)),
      ['1', '2', '3'],
    )
  })

  it('[MQTT-4.4.0-1] sends unacknowledged messages again, in order, with DUP and the same identifiers', async () => {
    const harness = new MqttHarness()
    const first = await harness.connect('c', persistent)
    await harness.subscribe(first, 'a', 1)
    const publisher = await harness.connect('p')
    for (const messageId of [1, 2, 3]) {
      publisher.send({
        cmd: 'publish',
        topic: 'a',
        payload: String(messageId),
        qos: 1,
        dup: false,
        retain: false,
        messageId,
      })
    }
    await harness.settle()
    const sent = first.of('publish')
    first.send({ cmd: 'puback', messageId: sent[1]?.messageId ?? 0 })
    first.vanish()
    const again = (await harness.connect('c', persistent)).of('publish')
    assert.deepEqual(
      again.map(({ payload, dup, messageId }) => [String(payload), dup, messageId]),
      [
        ['1', true, sent[0]?.messageId],
        ['3', true, sent[2]?.messageId],
      ],
    )
  })

  it('[MQTT-3.1.2-4] is discarded by Clean Start', async () => {
    const harness = new MqttHarness()
    const first = await harness.connect('c', persistent)
    await harness.subscribe(first, 'a', 1)
    first.vanish()
    const second = await harness.connect('c')
    assert.equal(second.of('connack')[0]?.sessionPresent, false)
    second.send({ cmd: 'publish', topic: 'a', payload: 'x', qos: 0, dup: false, retain: false })
    await harness.settle()
    assert.equal(second.of('publish').length, 0)
  })

  it('[MQTT-3.1.2-23] ends when its expiry interval has passed, and gives the client id back', async () => {
    const harness = new MqttHarness()
    const client = await harness.connect('c', persistent)
    client.vanish()
    await harness.clock.advance(99_000)
    assert.equal(harness.broker.sessions.sessionCount, 1)
    await harness.clock.advance(3000)
    assert.equal(harness.broker.sessions.sessionCount, 0)
    assert.deepEqual(harness.ownership.released, ['c'])
  })

  it('survives a restart with its subscriptions and unacknowledged messages, if nobody else owned it', async () => {
    const clock = new VirtualClock()
    const store = new MemoryStore({ clock })
    const before = new MqttHarness({}, store)
    const step = async (): Promise<void> => {
      await clock.advance(5)
      await before.settle()
    }
    const client = before.open(5)
    client.send({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 5,
      clientId: 'c',
      keepalive: 0,
      ...persistent,
    })
    await step()
    await step()
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a', qos: 1 }] })
    client.send({
      cmd: 'publish',
      topic: 'a',
      payload: 'kept',
      qos: 1,
      dup: false,
      retain: false,
      messageId: 2,
    })
    await step()
    await step()
    assert.equal(client.of('puback').length, 1)

    const after = new MqttHarness({}, store)
    for await (const stored of after.journal.load()) after.broker.sessions.restore(stored)
    const [unclaimed] = after.broker.sessions.unclaimed()
    assert.equal(unclaimed?.clientId, 'c')
    after.ownership.answer = () => ({
      status: 'claimed',
      token: { epoch: 1, revision: 9 },
      resumableToken: unclaimed?.token,
      isTransferred: false,
    })
    const back = await after.connect('c', persistent)
    await clock.advance(5)
    await after.settle()
    assert.equal(back.of('connack')[0]?.sessionPresent, true)
    assert.deepEqual(
      back.of('publish').map(({ payload }) => String(payload)),
      ['kept'],
    )
  })

  it('starts fresh after a restart when another node owned it meanwhile', async () => {
    const clock = new VirtualClock()
    const store = new MemoryStore({ clock })
    const before = new MqttHarness({}, store)
    const client = before.open(5)
    client.send({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 5,
      clientId: 'c',
      keepalive: 0,
      ...persistent,
    })
    await before.settle()
    await clock.advance(5)
    await before.settle()

    const after = new MqttHarness({}, store)
    for await (const stored of after.journal.load()) after.broker.sessions.restore(stored)
    after.ownership.answer = () => ({
      status: 'claimed',
      token: { epoch: 1, revision: 9 },
      resumableToken: { epoch: 1, revision: 8 },
      isTransferred: false,
    })
    const back = await after.connect('c', persistent)
    await clock.advance(5)
    await after.settle()
    assert.equal(back.of('connack')[0]?.sessionPresent, false)
  })

  it('is surrendered to another node: the client gets 0x8E, and nothing is kept or released', async () => {
    const harness = new MqttHarness()
    const client = await harness.connect('c', persistent)
    await harness.subscribe(client, 'a', 1)
    harness.broker.sessions.moves.surrender('c')
    assert.equal(client.of('disconnect')[0]?.reasonCode, 0x8e)
    assert.equal(harness.broker.sessions.sessionCount, 0)
    assert.deepEqual(harness.ownership.released, [])
    await harness.settle()
    const kept = []
    for await (const stored of harness.journal.load()) kept.push(stored)
    assert.deepEqual(kept, [])
  })
})
