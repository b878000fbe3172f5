import assert from 'node:assert/strict'
import type { ISubscribePacket, IUnsubscribePacket } from 'mqtt-packet'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import type { MqttOptions } from '../../src/mqtt/mqtt-services.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import type { MemoryClient } from './support/memory-stream.ts'
import { MqttHarness } from './support/mqtt-harness.ts'

function subscribe(filters: readonly string[], qos: 0 | 1 = 1): ISubscribePacket {
  const subscriptions = filters.map(topic => ({ topic, qos, nl: false, rap: false, rh: 0 }))
  return { cmd: 'subscribe', messageId: 7, subscriptions }
}

describe('how many subscriptions a session may have', () => {
  let harness: MqttHarness

  const limitedTo = (options: Partial<MqttOptions>): void => {
    harness = new MqttHarness(options)
  }

  const granted = async (client: MemoryClient, ...filters: string[]): Promise<unknown> => {
    client.send(subscribe(filters))
    await harness.settle()
    return client.of('suback').at(-1)?.granted
  }

  const unsubscribe = async (client: MemoryClient, filter: string): Promise<void> => {
    const packet: IUnsubscribePacket = { cmd: 'unsubscribe', messageId: 8, unsubscriptions: [filter] }
    client.send(packet)
    await harness.settle()
  }

  it('refuses what is beyond sessions.subscriptionsMax, filter by filter, and counts it', async () => {
    limitedTo({ subscriptionsMax: 3 })
    const client = await harness.connect('c')
    assert.deepEqual(await granted(client, 'a', 'b', '$share/g/c', 'd', 'a'), [1, 1, 1, 0x97, 1])
    assert.deepEqual(harness.local.match('d'), [])
    assert.equal(harness.broker.stats.subscriptionsOverQuota, 1)
    const other = await harness.connect('other')
    assert.deepEqual(await granted(other, 'd'), [1], 'each session has its own')
  })

  it('tells MQTT 3.1.1 clients 0x80', async () => {
    limitedTo({ subscriptionsMax: 1 })
    const client = await harness.connect('c', {}, 4)
    assert.deepEqual(await granted(client, 'a', 'b'), [1, 0x80])
  })

  it('has room again for what was unsubscribed, and always for what is replaced', async () => {
    limitedTo({ subscriptionsMax: 2, wildcardLevelsMax: 3 })
    const client = await harness.connect('c')
    assert.deepEqual(await granted(client, 'a', 'b/+/c/d', 'e'), [1, 1, 0x97])
    assert.deepEqual(await granted(client, 'b/+/c/d', 'a'), [1, 1])
    await unsubscribe(client, 'b/+/c/d')
    assert.deepEqual(await granted(client, '+/+/+', 'e'), [1, 0x97])
  })

  it('refuses what would make matching expensive: levels from the first + on, added up', async () => {
    limitedTo({ wildcardLevelsMax: 10 })
    const client = await harness.connect('c')
    assert.deepEqual(await granted(client, 'a/b/c/+/d', '$share/g/+/x/+/x', '+/x/x/x'), [1, 1, 1])
    assert.deepEqual(await granted(client, 'a/+'), [0x97])
    assert.deepEqual(await granted(client, 'a/b/#', '#', 'exact'), [1, 1, 1], 'they lead one way only')
    await unsubscribe(client, 'a/b/c/+/d')
    assert.deepEqual(await granted(client, 'a/+'), [1])
  })

  it('brings back a stored session that is above a later limit; it may have no more', async () => {
    const clock = new VirtualClock()
    const store = new MemoryStore({ clock })
    const before = new MqttHarness({}, store)
    const packet = { clean: false, properties: { sessionExpiryInterval: 1000 } }
    const first = await before.connect('c', packet)
    for (let i = 0; i < 3; i++) {
      await clock.advance(5)
      await before.settle()
      if (i === 0) first.send(subscribe(['a', '+/b/c', '+/d/e', 'f']))
    }
    assert.deepEqual(first.of('suback')[0]?.granted, [1, 1, 1, 1])
    harness = new MqttHarness({ subscriptionsMax: 2, wildcardLevelsMax: 2 }, store, false)
    await harness.broker.restore()
    harness.broker.serve('0.0.0')
    for (const topic of ['a', 'x/b/c', 'x/d/e', 'f'])
      assert.equal(harness.local.match(topic).length, 1, topic)
    const [unclaimed] = harness.broker.sessions.unclaimed()
    const token = { epoch: 1, revision: 9 }
    harness.ownership.answer = () => ({
      ...{ status: 'claimed', token, isTransferred: false },
      resumableToken: unclaimed?.token,
    })
    const client = await harness.connect('c', packet)
    await clock.advance(5)
    await harness.settle()
    await granted(client, 'a', '+/b/c', 'g')
    await clock.advance(5)
    await harness.settle()
    assert.deepEqual(client.of('suback')[0]?.granted, [1, 1, 0x97])
  })

  it('names a client that wants more, and not more than once a minute', async () => {
    limitedTo({ subscriptionsMax: 1 })
    const client = await harness.connect('greedy')
    for (const _ of [1, 2, 3]) await granted(client, 'a', 'b', 'c')
    assert.deepEqual(
      harness.warnings.map(({ fields }) => fields),
      [{ clientId: 'greedy', count: 1 }],
    )
    await harness.clock.advance(60_000)
    await granted(client, 'd')
    assert.deepEqual(harness.warnings[1]?.fields, { clientId: 'greedy', count: 6 })
  })
})
