import assert from 'node:assert/strict'
import { BrokerUnderTest, durable, versions } from './harness.ts'

/** Longer than each of the one-second intervals below, with room for a broker that looks once a second. */
const laterMs = 2_600

const later = (ms = laterMs): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/**
 * What the specifications measure in seconds can only be seen by waiting. All of these tests wait at once: `overlapped` starts them
 * together before the first, and each awaits its own.
 */
describe('What takes time: keep alive, expiry and will delay (sections 3.1.2.10, 3.1.2.11.2, 3.1.3.2.2 and 3.3.2.3.3)', () => {
  const broker = new BrokerUnderTest({})
  before(() => broker.start())
  after(async () => {
    await broker.dropClients()
    await broker.stop()
  })

  const overlapped = (run: () => Promise<void>): (() => Promise<void>) => {
    let outcome: Promise<void> = Promise.resolve()
    before(() => {
      outcome = run()
      outcome.catch(() => {}) // reported by the test
    })
    return function (this: Mocha.Context) {
      this.timeout(15_000)
      return outcome
    }
  }

  for (const { version, over } of versions) {
    it(
      `[MQTT-3.1.2-22] [MQTT-3.2.2-22] [MQTT-3.1.2-24 v3.1.1] a client that is silent for one and a half times its Keep Alive is disconnected as if the network had failed ${over}`,
      overlapped(async () => {
        const topic = broker.unique()
        const watcher = await broker.connect(version)
        await watcher.subscribe(topic)
        const startedMs = performance.now()
        const client = await broker.connect(version, { keepalive: 1, will: { topic, payload: 'gone' } })
        const last = await client.closed()
        const silentMs = performance.now() - startedMs
        assert(silentMs >= 1_400, `closed after ${silentMs} ms`)
        if (version === 5)
          assert(last.every(packet => packet.cmd === 'disconnect' && packet.reasonCode === 0x8d))
        else assert.deepEqual(last, [])
        assert.equal(String((await watcher.expect('publish')).payload), 'gone')
      }),
    )

    it(
      `[MQTT-3.1.2-22] [MQTT-3.1.2-24 v3.1.1] any packet within the interval keeps a client connected ${over}`,
      overlapped(async () => {
        const client = await broker.connect(version, { keepalive: 1 })
        for (let waitedMs = 0; waitedMs < laterMs; waitedMs += 800) {
          await later(800)
          await client.publishThrough(broker.unique(), 'here', { qos: 1 })
        }
      }),
    )
  }

  it(
    '[MQTT-3.3.2-5] [MQTT-3.3.2-6] a message that expired while it waited is deleted; another is sent on with what is left of its interval',
    overlapped(async () => {
      const topic = broker.unique()
      const clientId = broker.unique()
      const client = await broker.resume(5, clientId, false)
      await client.subscribe(topic, { qos: 1 })
      await client.drop()
      const publisher = await broker.connect(5)
      for (const messageExpiryInterval of [1, 100]) {
        await publisher.publishThrough(topic, String(messageExpiryInterval), {
          qos: 1,
          properties: { messageExpiryInterval },
        })
      }
      await later()
      const back = await broker.resume(5, clientId, true)
      const packets = await back.drain()
      assert.equal(packets.length, 1)
      const [packet] = packets
      assert(packet?.cmd === 'publish' && String(packet.payload) === '100')
      const left = packet.properties?.messageExpiryInterval ?? Infinity
      assert(left >= 90 && left <= 98, `${left} seconds left`)
    }),
  )

  it(
    '[MQTT-3.3.2-5] [MQTT-3.3.2-6] a retained message expires, or is sent with what is left of its interval',
    overlapped(async () => {
      const level = broker.unique()
      const publisher = await broker.connect(5)
      for (const messageExpiryInterval of [1, 100]) {
        const options = { qos: 1, retain: true, properties: { messageExpiryInterval } } as const
        await publisher.publishThrough(`${level}/${messageExpiryInterval}`, 'kept', options)
      }
      await later()
      const client = await broker.connect(5)
      await client.subscribe(`${level}/+`)
      const packets = await client.drain()
      assert.equal(packets.length, 1)
      const [packet] = packets
      assert(packet?.cmd === 'publish' && packet.topic === `${level}/100`)
      assert((packet.properties?.messageExpiryInterval ?? Infinity) <= 98)
    }),
  )

  it(
    '[MQTT-4.1.0-2] a session is gone when its expiry interval is over',
    overlapped(async () => {
      const clientId = broker.unique()
      const client = await broker.connect(5, {
        clientId,
        clean: false,
        properties: { sessionExpiryInterval: 1 },
      })
      await client.disconnect()
      await later()
      await broker.resume(5, clientId, false)
    }),
  )

  it(
    '[MQTT-4.1.0-1] the expiry interval does not run while the client is connected',
    overlapped(async () => {
      const topic = broker.unique()
      const clientId = broker.unique()
      const client = await broker.connect(5, {
        clientId,
        clean: false,
        properties: { sessionExpiryInterval: 1 },
      })
      await client.subscribe(topic, { qos: 1 })
      await later()
      await client.drop()
      const back = await broker.resume(5, clientId, true)
      await back.publishThrough(topic, 'hello', { qos: 1 })
      assert.deepEqual(await back.drainPayloads(), ['hello'])
    }),
  )

  it(
    '[MQTT-3.1.2-8] a will is published when its delay is over, not before',
    overlapped(async () => {
      const topic = broker.unique()
      const watcher = await broker.connect(5)
      await watcher.subscribe(topic)
      const client = await broker.connect(5, {
        ...durable(5, broker.unique()),
        will: { topic, payload: 'gone', properties: { willDelayInterval: 1 } },
      })
      const startedMs = performance.now()
      await client.drop()
      assert.equal(String((await watcher.expect('publish')).payload), 'gone')
      assert(performance.now() - startedMs >= 900)
    }),
  )

  it(
    '[MQTT-3.1.2-8] a will with a longer delay is published when its session expires',
    overlapped(async () => {
      const topic = broker.unique()
      const watcher = await broker.connect(5)
      await watcher.subscribe(topic)
      const client = await broker.connect(5, {
        will: { topic, payload: 'gone', properties: { willDelayInterval: 3600 } },
        properties: { sessionExpiryInterval: 1 },
      })
      await client.drop()
      assert.equal(String((await watcher.expect('publish')).payload), 'gone')
    }),
  )

  it(
    '[MQTT-3.1.3-9] [MQTT-3.1.2-10] a client that is back within the will delay keeps its will from being sent',
    overlapped(async () => {
      const topic = broker.unique()
      const clientId = broker.unique()
      const watcher = await broker.connect(5)
      await watcher.subscribe(topic)
      const client = await broker.resume(5, clientId, false, {
        will: { topic, payload: 'gone', properties: { willDelayInterval: 1 } },
      })
      await client.drop()
      await broker.resume(5, clientId, true)
      await later()
      assert.deepEqual(await watcher.drain(), [])
    }),
  )

  it(
    '[MQTT-4.3.3-7] a QoS 2 message that was sent does not expire any more',
    overlapped(async () => {
      const topic = broker.unique()
      const clientId = broker.unique()
      const client = await broker.resume(5, clientId, false)
      await client.subscribe(topic, { qos: 2 })
      const publisher = await broker.connect(5)
      await publisher.publishThrough(topic, 'once', { qos: 2, properties: { messageExpiryInterval: 1 } })
      const { messageId } = await client.expect('publish')
      await client.drop()
      await later()
      const back = await broker.resume(5, clientId, true)
      assert.equal((await back.expect('publish')).messageId, messageId)
    }),
  )

  it(
    '[MQTT-4.3.3-13] the broker completes a QoS 2 exchange whose message has expired',
    overlapped(async () => {
      const topic = broker.unique()
      const client = await broker.connect(5)
      client.publish(topic, 'once', { qos: 2, messageId: 3, properties: { messageExpiryInterval: 1 } })
      await client.expect('pubrec')
      await later()
      client.send({ cmd: 'pubrel', messageId: 3 })
      const pubcomp = await client.expect('pubcomp')
      assert.deepEqual([pubcomp.messageId, pubcomp.reasonCode ?? 0], [3, 0])
    }),
  )
})
