import assert from 'node:assert/strict'
import type { ISubscribePacket } from 'mqtt-packet'
import { MqttHarness } from './support/mqtt-harness.ts'

function subscribe(topic: string, barrier: string | undefined, qos: 0 | 1 = 1): ISubscribePacket {
  return {
    cmd: 'subscribe',
    messageId: 7,
    subscriptions: [{ topic, qos, nl: false, rap: false, rh: 0 }],
    properties: barrier === undefined ? {} : { userProperties: { 'suback-barrier': barrier } },
  }
}

describe('the SUBACK barrier', () => {
  let harness: MqttHarness

  beforeEach(() => {
    harness = new MqttHarness()
    harness.barrier.isHeld = true
  })

  const isSubscribed = (clientId: string, filter: string): boolean =>
    harness.local.match(filter).some(({ subscriber }) => subscriber.clientId === clientId)

  it('local, the default, asks nobody', async () => {
    const client = await harness.connect('c')
    client.send(subscribe('a', undefined))
    await harness.settle()
    assert.deepEqual(client.of('suback')[0]?.granted, [1])
    assert.equal(harness.barrier.asked.length, 0)
  })

  for (const level of ['quorum', 'all']) {
    it(`${level} holds SUBACK until it is reached; the subscription works here meanwhile`, async () => {
      const client = await harness.connect('c')
      client.send(subscribe('a', level))
      await harness.settle()
      assert.equal(client.of('suback').length, 0)
      assert(isSubscribed('c', 'a'))
      assert.equal(harness.barrier.asked[0]?.level, level)
      harness.barrier.asked[0]?.settle(true)
      await harness.settle()
      assert.deepEqual(client.of('suback')[0]?.granted, [1])
    })
  }

  it('not reached in time answers 0x80 and takes the subscription back', async () => {
    const client = await harness.connect('c')
    client.send(subscribe('a', 'all'))
    await harness.settle()
    harness.barrier.asked[0]?.settle(false)
    await harness.settle()
    assert.deepEqual(client.of('suback')[0]?.granted, [0x80])
    assert(!isSubscribed('c', 'a'))
    assert.equal(harness.broker.stats.barriersMissed, 1)
  })

  it('not reached in time gives back the subscription that was replaced', async () => {
    const client = await harness.connect('c')
    client.send(subscribe('a', undefined, 0))
    await harness.settle()
    client.send(subscribe('a', 'all', 1))
    await harness.settle()
    harness.barrier.asked[0]?.settle(false)
    await harness.settle()
    assert.deepEqual(
      harness.local.match('a').map(({ qos }) => qos),
      [0],
    )
  })

  it('a later SUBSCRIBE is not undone by the failure of an earlier one', async () => {
    const client = await harness.connect('c')
    client.send(subscribe('a', 'all', 0))
    await harness.settle()
    client.send({ ...subscribe('a', undefined, 1), messageId: 8 })
    await harness.settle()
    harness.barrier.asked[0]?.settle(false)
    await harness.settle()
    assert.deepEqual(
      harness.local.match('a').map(({ qos }) => qos),
      [1],
    )
  })

  it('of a level that does not exist is refused with 0x83, and nothing is subscribed', async () => {
    const client = await harness.connect('c')
    for (const level of ['everybody', '', 'toString', '__proto__']) client.send(subscribe('a', level))
    await harness.settle()
    assert.deepEqual(
      client.of('suback').map(({ granted }) => granted),
      [[0x83], [0x83], [0x83], [0x83]],
    )
    assert(!isSubscribed('c', 'a'))
  })

  it('may be the configured one, which holds for 3.1.1 clients too', async () => {
    harness = new MqttHarness({ subackBarrier: 'quorum' })
    harness.barrier.isHeld = true
    const client = await harness.connect('c', {}, 4)
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a', qos: 1 }] })
    await harness.settle()
    assert.equal(client.of('suback').length, 0)
    harness.barrier.asked[0]?.settle(true)
    await harness.settle()
    assert.deepEqual(client.of('suback')[0]?.granted, [1])
  })
})
