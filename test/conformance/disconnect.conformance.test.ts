import assert from 'node:assert/strict'
import { connectFrame, field, frame, property, u32 } from '../support/raw-packet.ts'
import { assertDisconnect, assertRefused, useBroker, versions } from './harness.ts'

const sessionExpiryInterval = 0x11

/** The reason codes that a server may put into DISCONNECT (v5, table 3-10). */
const serverDisconnectCodes = new Set([
  0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98,
  0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
])

describe('DISCONNECT (section 3.14)', () => {
  const broker = useBroker()

  for (const { version, over } of versions) {
    it(`[MQTT-3.14.4-3] [MQTT-3.14.4-3 v3.1.1] [MQTT-3.1.2-10] [MQTT-3.1.2-10 v3.1.1] DISCONNECT discards the will ${over}`, async () => {
      const topic = broker.unique()
      const watcher = await broker.connect(version)
      await watcher.subscribe(topic)
      const client = await broker.connect(version, { will: { topic, payload: 'gone' } })
      await client.disconnect()
      assert.deepEqual(await watcher.drain(), [])
    })

    it(`[MQTT-3.14.1-1 v3.1.1] a DISCONNECT with reserved flags disconnects as any malformed packet does: the will is published ${over}`, async () => {
      const topic = broker.unique()
      const watcher = await broker.connect(version)
      await watcher.subscribe(topic)
      const client = await broker.connect(version, { will: { topic, payload: 'gone' } })
      client.send(frame(0xe1))
      await assertRefused(client, 0x81)
      assert.equal(String((await watcher.expect('publish')).payload), 'gone')
    })

    it(`[MQTT-3.14.4-2] [MQTT-3.14.4-1] the broker closes the connection of a client that broke the protocol and sends nothing behind its DISCONNECT ${over}`, async () => {
      const topic = broker.unique()
      const client = await broker.connect(version)
      await client.subscribe(topic)
      const ping = { cmd: 'pingreq' } as const
      client.send(
        frame(0xf1),
        { cmd: 'publish', topic, payload: 'late', qos: 0, dup: false, retain: false },
        ping,
        ping,
      )
      await assertRefused(client)
    })
  }

  it('[MQTT-3.14.1-1] a DISCONNECT with reserved flags is answered with DISCONNECT 0x81', async () => {
    const client = await broker.connect(5)
    client.send(frame(0xe1))
    const last = await client.closed()
    assertDisconnect(last[0], 0x81)
  })

  it('[MQTT-3.14.2-1] [MQTT-3.14.2-2] [MQTT-3.14.4-1] [MQTT-3.14.4-2] [MQTT-4.13.2-1] the broker ends with one DISCONNECT, which has a code of the table and no Session Expiry Interval', async () => {
    const topic = broker.unique()
    const offences = [
      connectFrame({ version: 5, payload: [field(broker.unique())] }),
      frame(0xc1),
      frame(0x36, field(topic), Buffer.from([0, 1, 0])),
      frame(0x82, Buffer.from([0, 1, 0])),
      frame(0x30, field('a/+'), Buffer.from([0])),
      frame(0x30, field(topic), Buffer.from([3, 0x23, 0, 0])),
    ]
    for (const offence of offences) {
      const client = await broker.connect(5)
      client.send(offence, offence)
      const last = await client.closed()
      const what = offence.toString('hex')
      assert.equal(last.length, 1, `one DISCONNECT after ${what}`)
      const [disconnect] = last
      assertDisconnect(disconnect)
      assert(disconnect?.cmd === 'disconnect')
      assert(serverDisconnectCodes.has(disconnect.reasonCode ?? 0), what)
      assert.equal(disconnect.properties?.sessionExpiryInterval, undefined)
    }
  })

  it('[MQTT-3.14.2-1] a DISCONNECT with a reason code that a client may not send is refused', async () => {
    const topic = broker.unique()
    const watcher = await broker.connect(5)
    await watcher.subscribe(topic)
    const client = await broker.connect(5, { will: { topic, payload: 'gone' } })
    client.send(frame(0xe0, Buffer.from([0x03, 0])))
    await assertRefused(client, 0x81, 0x82)
    assert.equal(String((await watcher.expect('publish')).payload), 'gone')
  })

  it('[MQTT-3.14.2-1] DISCONNECT 0x04 keeps the will, which is published', async () => {
    const topic = broker.unique()
    const watcher = await broker.connect(5)
    await watcher.subscribe(topic)
    const client = await broker.connect(5, { will: { topic, payload: 'gone' } })
    await client.disconnect(0x04)
    assert.equal(String((await watcher.expect('publish')).payload), 'gone')
  })

  it('[MQTT-4.13.1-1] a DISCONNECT that turns a session without expiry into one with is a protocol error', async () => {
    const client = await broker.connect(5)
    client.send(frame(0xe0, Buffer.from([0x00, 5]), property(sessionExpiryInterval, u32(60))))
    await assertRefused(client, 0x82)
  })
})
