import assert from 'node:assert/strict'
import type { Packet } from 'mqtt-packet'
import { connectFrame, field, frame, property, u16, u32, type ConnectFrame } from '../support/raw-packet.ts'
import { assertConnectRefused, assertDisconnect, assertRefused, useBroker, versions } from './harness.ts'

const sessionExpiryInterval = 0x11
const receiveMaximum = 0x21
const topicAlias = 0x23
const maximumPacketSize = 0x27
const unknownProperty = 0x7f

describe('CONNECT and CONNACK (sections 3.1 and 3.2)', () => {
  const broker = useBroker()

  for (const { version, over } of versions) {
    const refuses = async (
      connect: Partial<ConnectFrame>,
      codes: readonly number[] = [],
      returnCode?: number,
    ): Promise<void> => {
      const client = await broker.open(version)
      client.send(connectFrame({ version, payload: [field(broker.unique())], ...connect }))
      await assertConnectRefused(client, codes, returnCode)
    }

    it(`[MQTT-3.1.0-1] [MQTT-3.1.0-1 v3.1.1] [MQTT-3.14.0-1] a first packet other than CONNECT closes the connection, without DISCONNECT ${over}`, async () => {
      const topic = broker.unique()
      const packets: Packet[] = [
        { cmd: 'pingreq' },
        { cmd: 'publish', topic, payload: 'x', qos: 0, dup: false, retain: false },
        { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos: 0 }] },
      ]
      for (const packet of packets) {
        const client = await broker.open(version)
        client.send(packet)
        assert.deepEqual(await client.closed(), [])
      }
    })

    it(`[MQTT-3.1.0-2] [MQTT-3.1.0-2 v3.1.1] a second CONNECT closes the connection ${over}`, async () => {
      const clientId = broker.unique()
      const client = await broker.connect(version, { clientId })
      client.send(connectFrame({ version, payload: [field(clientId)] }))
      await assertRefused(client, 0x82)
    })

    it(`[MQTT-3.1.2-1] [MQTT-3.1.2-1 v3.1.1] another protocol name is not accepted ${over}`, async () => {
      for (const protocolName of ['MQTX', 'mqtt', 'MQT', '']) {
        const client = await broker.open(4)
        client.send(connectFrame({ version, protocolName, payload: [field(broker.unique())] }))
        for (const answer of await client.closed()) {
          assert.equal(answer.cmd, 'connack')
          assert([0x01, 0x84].includes(answer.bytes[3] as number), answer.bytes.toString('hex'))
        }
      }
    })

    it(`[MQTT-3.1.2-3] [MQTT-3.1.2-3 v3.1.1] the reserved connect flag must be zero ${over}`, async () => {
      await refuses({ flags: 0x03 }, [0x81])
    })

    it(`[MQTT-3.1.2-9] [MQTT-3.1.2-9 v3.1.1] Will Flag 1 without a will in the payload is refused ${over}`, async () => {
      await refuses({ flags: 0x06 }, [0x81, 0x82])
    })

    it(`[MQTT-3.1.2-11] [MQTT-3.1.2-11 v3.1.1] [MQTT-3.1.2-13 v3.1.1] Will Flag 0 with a Will QoS is refused ${over}`, async () => {
      await refuses({ flags: 0x0a }, [0x81, 0x82])
    })

    it(`[MQTT-3.1.2-13] [MQTT-3.1.2-15 v3.1.1] Will Flag 0 with Will Retain is refused ${over}`, async () => {
      await refuses({ flags: 0x22 }, [0x81, 0x82])
    })

    it(`[MQTT-3.1.2-12] [MQTT-3.1.2-14 v3.1.1] Will QoS 3 is refused ${over}`, async () => {
      const payload = [
        field(broker.unique()),
        ...(version === 5 ? [Buffer.from([0])] : []),
        field('will'),
        field('gone'),
      ]
      await refuses({ flags: 0x1e, payload }, [0x81, 0x9b])
    })

    it(`[MQTT-3.1.2-16] [MQTT-3.1.2-18 v3.1.1] a user name that the flags do not announce is refused ${over}`, async () => {
      await refuses({ payload: [field(broker.unique()), field('user')] }, [0x81, 0x82])
    })

    it(`[MQTT-3.1.2-17] [MQTT-3.1.2-19 v3.1.1] User Name Flag 1 without a user name is refused ${over}`, async () => {
      await refuses({ flags: 0x82 }, [0x81, 0x82])
    })

    it(`[MQTT-3.1.2-18] [MQTT-3.1.2-20 v3.1.1] a password that the flags do not announce is refused ${over}`, async () => {
      await refuses(
        { flags: 0x82, payload: [field(broker.unique()), field('user'), field('secret')] },
        [0x81, 0x82],
      )
    })

    it(`[MQTT-3.1.2-19] [MQTT-3.1.2-21 v3.1.1] Password Flag 1 without a password is refused ${over}`, async () => {
      await refuses({ flags: 0xc2, payload: [field(broker.unique()), field('user')] }, [0x81, 0x82])
    })

    it(`[MQTT-3.1.3-1] [MQTT-3.1.3-1 v3.1.1] the payload is read as client identifier, will, user name, password ${over}`, async () => {
      const clientId = broker.unique()
      const topic = broker.unique()
      const watcher = await broker.connect(version)
      await watcher.subscribe(topic)
      const client = await broker.open(version)
      const willProperties = version === 5 ? [Buffer.from([0])] : []
      const payload = [
        field(clientId),
        ...willProperties,
        field(topic),
        field('gone'),
        field('user'),
        field('secret'),
      ]
      client.send(connectFrame({ version, flags: 0xc6, payload }))
      assert.equal((await client.expect('connack')).bytes[3], 0)
      const next = await broker.connect(version, { clientId })
      await client.closed()
      assert.equal(String((await watcher.expect('publish')).payload), 'gone')
      await next.settle()
    })

    it(`[MQTT-3.1.3-3] [MQTT-3.1.3-3 v3.1.1] a payload without a client identifier is refused ${over}`, async () => {
      await refuses({ payload: [] }, [0x81, 0x82])
    })

    it(`[MQTT-3.1.3-5] [MQTT-3.1.3-5 v3.1.1] client identifiers of 1 to 23 digits and letters are accepted ${over}`, async () => {
      for (const clientId of [
        '0',
        'zZ9',
        '0123456789abcdefghijklm',
        'nopqrstuvwxyzABCDEFGHIJ',
        'KLMNOPQRSTUVWXYZ',
      ]) {
        await broker.connect(version, { clientId })
      }
    })

    it(`[MQTT-3.1.3-8] [MQTT-3.1.3-9 v3.1.1] a client identifier longer than the broker's limit of 256 bytes is refused ${over}`, async () => {
      await refuses({ payload: [field('x'.repeat(257))] }, [0x85], 0x02)
    })

    it(`[MQTT-3.1.4-1] [MQTT-3.1.4-1 v3.1.1] [MQTT-3.2.2-6 v3.1.1] [MQTT-4.13.1-1] a malformed CONNECT closes the connection ${over}`, async () => {
      await refuses({ payload: [Buffer.from([0, 9, 0x61])] })
      await refuses({ payload: [field(broker.unique()), Buffer.from([1])] })
      const client = await broker.open(version)
      client.send(frame(0x11, connectFrame({ version, payload: [field(broker.unique())] }).subarray(2)))
      await assertConnectRefused(client)
    })

    it(`[MQTT-3.1.4-2 v3.1.1] [MQTT-3.1.4-3] [MQTT-4.13.2-1] a CONNECT under the same client identifier ends the older connection ${over}`, async () => {
      const clientId = broker.unique()
      const older = await broker.connect(version, { clientId })
      const newer = await broker.connect(version, { clientId })
      const last = await older.closed()
      if (version === 5) assertDisconnect(last[0], 0x8e)
      assert.equal(last.length, version === 5 ? 1 : 0)
      await newer.settle()
    })

    it(`[MQTT-3.1.4-5] [MQTT-3.1.4-4 v3.1.1] [MQTT-3.2.0-1] [MQTT-3.2.0-1 v3.1.1] [MQTT-3.2.0-2] [MQTT-3.2.2-1] one CONNACK 0x00 comes before everything else ${over}`, async () => {
      const client = await broker.open(version)
      client.send(
        connectFrame({ version, payload: [field(broker.unique())] }),
        { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: broker.unique(), qos: 0 }] },
        { cmd: 'pingreq' },
      )
      const connack = await client.expect('connack')
      assert.equal(connack.bytes[2], 0, 'acknowledge flags')
      assert.equal(connack.bytes[3], 0, 'code')
      await client.expect('suback')
      await client.expect('pingresp')
      assert.deepEqual(await client.drain(), [])
    })

    it(`[MQTT-3.1.4-6] [MQTT-3.1.4-5 v3.1.1] nothing behind a refused CONNECT is processed ${over}`, async () => {
      const topic = broker.unique()
      const watcher = await broker.connect(version)
      await watcher.subscribe(topic)
      const client = await broker.open(version)
      client.send(connectFrame({ version, flags: 0x03, payload: [field(broker.unique())] }), {
        cmd: 'publish',
        topic,
        payload: 'smuggled',
        qos: 0,
        dup: false,
        retain: false,
      })
      await client.closed()
      assert.deepEqual(await watcher.drain(), [])
    })

    it(`[MQTT-3.12.4-1] [MQTT-3.12.4-1 v3.1.1] PINGREQ is answered with PINGRESP ${over}`, async () => {
      const client = await broker.connect(version)
      client.send({ cmd: 'pingreq' }, { cmd: 'pingreq' })
      assert.deepEqual([...(await client.expect('pingresp')).bytes], [0xd0, 0])
      assert.deepEqual([...(await client.expect('pingresp')).bytes], [0xd0, 0])
    })

    it(`[MQTT-4.2.0-1] [MQTT-7.1.1-1 v3.1.1] the stream may be cut anywhere, and nothing is lost or reordered ${over}`, async () => {
      const topic = broker.unique()
      const watcher = await broker.connect(version)
      await watcher.subscribe(topic)
      const client = await broker.open(version)
      const connect = connectFrame({ version, payload: [field(broker.unique())] })
      const none = version === 5 ? [Buffer.from([0])] : []
      const publishes = ['first', 'second'].map(text => frame(0x30, field(topic), ...none, Buffer.from(text)))
      for (const byte of Buffer.concat([connect, ...publishes])) {
        client.send(Buffer.from([byte]))
        await new Promise(setImmediate)
      }
      await client.expect('connack')
      await client.settle()
      assert.deepEqual(await watcher.drainPayloads(), ['first', 'second'])
    })
  }

  it('[MQTT-3.1.2-2] a protocol version above 5 is refused with 0x84, in one form or the other', async () => {
    const client = await broker.open(4)
    client.send(connectFrame({ version: 5, level: 6, payload: [field(broker.unique())] }))
    for (const answer of await client.closed()) {
      assert.equal(answer.cmd, 'connack')
      assert([0x01, 0x84].includes(answer.bytes[3] as number), answer.bytes.toString('hex'))
    }
  })

  it('[MQTT-3.1.2-2 v3.1.1] a protocol level that no version has is answered with return code 0x01', async () => {
    const client = await broker.open(4)
    client.send(connectFrame({ version: 4, level: 2, payload: [field(broker.unique())] }))
    assert.deepEqual(
      (await client.closed()).map(answer => [...answer.bytes]),
      [[0x20, 2, 0, 1]],
    )
  })

  it('[MQTT-3.1.2-22 v3.1.1] a password without a user name is refused', async () => {
    const client = await broker.open(4)
    client.send(connectFrame({ version: 4, flags: 0x42, payload: [field(broker.unique()), field('secret')] }))
    await assertConnectRefused(client)
  })

  it('[MQTT-3.1.3-6] [MQTT-3.1.3-7] [MQTT-3.2.2-16] an empty client identifier gets one that is unique and is the session', async () => {
    const properties = { sessionExpiryInterval: 3600 }
    const one = await broker.open(5)
    const other = await broker.open(5)
    const assigned = (await one.connect({ clientId: '', properties })).properties?.assignedClientIdentifier
    const assignedOther = (await other.connect({ clientId: '', properties })).properties
      ?.assignedClientIdentifier
    assert(assigned !== undefined && assignedOther !== undefined && assigned !== assignedOther)
    await one.drop()
    await broker.resume(5, assigned, true)
    await other.settle()
  })

  it('[MQTT-3.1.3-6 v3.1.1] [MQTT-3.1.3-7 v3.1.1] clients with an empty client identifier and a clean session do not disturb one another', async () => {
    const one = await broker.connect(4, { clientId: '' })
    const other = await broker.connect(4, { clientId: '' })
    await one.settle()
    await other.settle()
  })

  it('[MQTT-3.1.3-8 v3.1.1] [MQTT-3.1.3-9 v3.1.1] [MQTT-3.2.2-4 v3.1.1] [MQTT-3.2.2-5 v3.1.1] an empty client identifier without a clean session is answered with 0x02', async () => {
    const client = await broker.open(4)
    client.send(connectFrame({ version: 4, flags: 0, payload: [field('')] }))
    await assertConnectRefused(client, [], 0x02)
  })

  it('[MQTT-3.1.4-1] [MQTT-4.13.1-1] CONNECT properties that must not be are refused', async () => {
    for (const [what, ...properties] of [
      ['Receive Maximum 0', property(receiveMaximum, u16(0))],
      ['Maximum Packet Size 0', property(maximumPacketSize, u32(0))],
      ['a property twice', property(sessionExpiryInterval, u32(9)), property(sessionExpiryInterval, u32(9))],
      ['a property of PUBLISH', property(topicAlias, u16(1))],
      ['an unknown property', property(unknownProperty, u16(1))],
      ['a property cut short', property(sessionExpiryInterval, u16(1))],
    ] as const) {
      const client = await broker.open(5)
      client.send(connectFrame({ version: 5, properties, payload: [field(broker.unique())] }))
      await assertConnectRefused(client, [0x81, 0x82]).catch((error: unknown) => {
        throw new Error(what, { cause: error })
      })
    }
  })

  it('[MQTT-3.2.2-6] [MQTT-3.2.2-7] [MQTT-3.2.2-8] [MQTT-4.12.0-1] an unknown authentication method is refused with 0x8C or 0x87 and no session', async () => {
    const clientId = broker.unique()
    await (await broker.resume(5, clientId, false)).drop()
    const client = await broker.open(5)
    client.send({
      cmd: 'connect',
      protocolVersion: 5,
      clientId,
      clean: false,
      properties: { authenticationMethod: 'NO-SUCH-METHOD', authenticationData: Buffer.from('?') },
    })
    await assertConnectRefused(client, [0x8c, 0x87])
    await broker.resume(5, clientId, true)
  })

  it('[MQTT-3.1.2-28] Request Response Information 0 gets no Response Information', async () => {
    for (const properties of [{}, { requestResponseInformation: false }]) {
      const client = await broker.open(5)
      const connack = await client.connect({ clientId: broker.unique(), properties })
      assert.equal(connack.properties?.responseInformation, undefined)
    }
  })

  it('[MQTT-4.12.0-6] without an authentication method CONNACK has none, and no AUTH comes', async () => {
    const client = await broker.open(5)
    const connack = await client.connect({ clientId: broker.unique() })
    assert.equal(connack.properties?.authenticationMethod, undefined)
    assert.deepEqual(await client.drain(), [])
  })
})
