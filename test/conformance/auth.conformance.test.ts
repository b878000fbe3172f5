import assert from 'node:assert/strict'
import type { RawClient } from '../support/raw-client.ts'
import { frame } from '../support/raw-packet.ts'
import { ScramClient } from '../support/scram-client.ts'
import { assertConnectRefused, assertRefused, useBroker, versions, type BrokerUnderTest } from './harness.ts'

const authenticationMethod = 'SCRAM-SHA-256'
const continueAuthentication = 0x18
const reAuthenticate = 0x19

describe('A broker that lets nobody in without authentication (section 3.1.4)', () => {
  const broker = useBroker({ anonymous: false, scramUsers: { alice: 'secret' } })

  for (const { version, over } of versions) {
    it(`[MQTT-3.1.4-2] [MQTT-3.2.2-4 v3.1.1] [MQTT-3.2.2-5 v3.1.1] [MQTT-3.2.2-6] [MQTT-3.2.2-7] [MQTT-3.2.2-8] a client that cannot prove who it is gets an error and no connection ${over}`, async () => {
      const clientId = broker.unique()
      for (const credentials of [
        {},
        { username: 'alice', password: Buffer.from('secret') }, // only the method proves anything
        { username: 'mallory' },
      ]) {
        const client = await broker.open(version)
        client.send({
          cmd: 'connect',
          protocolId: 'MQTT',
          protocolVersion: version,
          clientId,
          clean: false,
          ...credentials,
        })
        if (version === 5) await assertConnectRefused(client, [0x86, 0x87])
        else {
          const answers = (await client.closed()).map(answer => [...answer.bytes])
          assert.equal(answers.length, 1)
          assert([4, 5].includes(answers[0]?.[3] as number))
          assert.deepEqual(answers[0]?.slice(0, 3), [0x20, 2, 0])
        }
      }
    })
  }
})

describe('AUTH without an authentication method (section 3.15)', () => {
  const broker = useBroker()

  it('[MQTT-4.12.0-7] AUTH from a client that named no method closes the connection', async () => {
    const client = await broker.connect(5)
    client.send({ cmd: 'auth', reasonCode: reAuthenticate, properties: { authenticationMethod } })
    await assertRefused(client, 0x82, 0x8c)
  })

  it('[MQTT-3.15.1-1] AUTH with flags closes the connection', async () => {
    const client = await broker.connect(5)
    client.send(frame(0xf1, Buffer.from([reAuthenticate, 0])))
    await assertRefused(client, 0x81)
  })
})

describe('Enhanced authentication (section 4.12)', () => {
  const broker = useBroker({ scramUsers: { alice: 'secret' } })

  /** Sends CONNECT with a first SCRAM message. */
  async function begin(
    on: BrokerUnderTest,
    scram: ScramClient,
    properties: { maximumPacketSize?: number } = {},
  ): Promise<RawClient> {
    const client = await on.open(5)
    client.send({
      cmd: 'connect',
      protocolVersion: 5,
      clientId: on.unique(),
      clean: true,
      properties: { authenticationMethod, authenticationData: scram.first, ...properties },
    })
    return client
  }

  async function connected(): Promise<RawClient> {
    const scram = new ScramClient('alice', 'secret')
    const client = await begin(broker, scram)
    const { properties } = await client.expect('auth')
    answer(client, scram.final(properties?.authenticationData ?? Buffer.alloc(0)))
    assert.equal((await client.expect('connack')).reasonCode, 0)
    return client
  }

  function answer(client: RawClient, authenticationData: Buffer, reasonCode = continueAuthentication): void {
    client.send({ cmd: 'auth', reasonCode, properties: { authenticationMethod, authenticationData } })
  }

  it('[MQTT-4.12.0-2] [MQTT-4.12.0-5] [MQTT-3.15.2-1] the broker asks with AUTH 0x18 and ends with CONNACK, both naming the method', async () => {
    const scram = new ScramClient('alice', 'secret')
    const client = await begin(broker, scram)
    const challenge = await client.expect('auth')
    assert.deepEqual(
      [challenge.reasonCode, challenge.properties?.authenticationMethod],
      [0x18, authenticationMethod],
    )
    answer(client, scram.final(challenge.properties?.authenticationData ?? Buffer.alloc(0)))
    const connack = await client.expect('connack')
    assert.deepEqual(
      [connack.reasonCode, connack.properties?.authenticationMethod],
      [0, authenticationMethod],
    )
    assert(
      scram.isServer(connack.properties?.authenticationData),
      'the broker proves that it knows the password',
    )
    await client.settle()
  })

  it('[MQTT-4.12.0-4] a wrong proof, an unknown user and nonsense are refused alike', async () => {
    for (const scram of [new ScramClient('alice', 'wrong'), new ScramClient('mallory', 'secret')]) {
      const client = await begin(broker, scram)
      const challenge = await client.expect('auth')
      answer(client, scram.final(challenge.properties?.authenticationData ?? Buffer.alloc(0)))
      await assertConnectRefused(client, [0x87])
    }
    const client = await begin(broker, new ScramClient('alice', 'secret'))
    await client.expect('auth')
    answer(client, Buffer.from('nonsense'))
    await assertConnectRefused(client, [0x80, 0x81, 0x82, 0x87])
  })

  it('[MQTT-4.12.0-3] an answer that is not AUTH 0x18 is refused', async () => {
    const scram = new ScramClient('alice', 'secret')
    const client = await begin(broker, scram)
    const challenge = await client.expect('auth')
    answer(client, scram.final(challenge.properties?.authenticationData ?? Buffer.alloc(0)), reAuthenticate)
    await assertConnectRefused(client, [0x81, 0x82, 0x87])
  })

  it('[MQTT-3.1.2-30] [MQTT-3.14.0-1] a packet other than AUTH or DISCONNECT before CONNACK is refused, without DISCONNECT', async () => {
    const client = await begin(broker, new ScramClient('alice', 'secret'))
    await client.expect('auth')
    client.send({ cmd: 'pingreq' })
    await assertConnectRefused(client, [0x82])
  })

  it('[MQTT-4.12.1-1] a re-authentication by another method is refused', async () => {
    const client = await connected()
    client.send({
      cmd: 'auth',
      reasonCode: reAuthenticate,
      properties: { authenticationMethod: 'ANOTHER', authenticationData: Buffer.from('x') },
    })
    await assertRefused(client, 0x82, 0x8c)
  })

  it('[MQTT-4.12.1-2] [MQTT-3.15.2-1] a re-authentication that succeeds ends with AUTH 0x00, one that fails with the connection', async () => {
    const client = await connected()
    for (const [password, succeeds] of [
      ['secret', true],
      ['wrong', false],
    ] as const) {
      const scram = new ScramClient('alice', password)
      answer(client, scram.first, reAuthenticate)
      const challenge = await client.expect('auth')
      assert.equal(challenge.reasonCode, 0x18)
      answer(client, scram.final(challenge.properties?.authenticationData ?? Buffer.alloc(0)))
      if (!succeeds) return assertRefused(client, 0x87)
      const done = await client.expect('auth')
      assert.deepEqual([done.reasonCode, done.properties?.authenticationMethod], [0, authenticationMethod])
      await client.settle()
    }
  })

  it('[MQTT-3.15.2-2] [MQTT-3.15.2-3] AUTH grows by no property beyond the Maximum Packet Size', async () => {
    const maximumPacketSize = 200
    const client = await begin(broker, new ScramClient('alice', 'secret'), { maximumPacketSize })
    const challenge = await client.expect('auth')
    assert(challenge.bytes.length <= maximumPacketSize)
  })
})
