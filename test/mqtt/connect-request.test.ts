import assert from 'node:assert/strict'
import type { IConnackPacket, IConnectPacket } from 'mqtt-packet'
import { MqttHarness } from './support/mqtt-harness.ts'

describe('Acceptances', () => {
  const connackOf = async (
    broker: MqttHarness,
    clientId: string,
    packet: Partial<IConnectPacket> = {},
    version: 4 | 5 = 5,
  ): Promise<IConnackPacket> => {
    const [connack] = (await broker.connect(clientId, packet, version)).received
    return connack?.cmd === 'connack' ? connack : assert.fail('no CONNACK')
  }

  it('tell every client what concerns it, and none what concerned another', async () => {
    const broker = new MqttHarness({
      keepAliveMax: 60,
      expiryIntervalMax: 100,
      responseTopicPrefix: 'answers/',
    })
    const special: [Partial<IConnectPacket>, object][] = [
      [{ keepalive: 0 }, { serverKeepAlive: 60 }],
      [{ keepalive: 61 }, { serverKeepAlive: 60 }],
      [{ properties: { sessionExpiryInterval: 200 } }, { sessionExpiryInterval: 100 }],
      [{ properties: { requestResponseInformation: true } }, { responseInformation: 'answers/special/' }],
    ]
    const plain = await connackOf(broker, 'first', { keepalive: 30 })
    for (const [packet, told] of special) {
      const { properties } = await connackOf(broker, 'special', { keepalive: 30, ...packet })
      assert.deepEqual(properties, { ...plain.properties, ...told })
      const other = await connackOf(broker, 'ordinary', { keepalive: 30 })
      assert.deepEqual(other.properties, plain.properties)
    }
    const assigned = await connackOf(broker, '', { keepalive: 30 })
    assert.match(assigned.properties?.assignedClientIdentifier ?? '', /^auto-/)
  })

  it('say whether there was a session, in every version that can', async () => {
    const broker = new MqttHarness({ expiryIntervalMax: 100 })
    const packet = { clean: false, properties: { sessionExpiryInterval: 50 } }
    for (const version of [4, 5] as const) {
      const ask = (id: string): Promise<IConnackPacket> =>
        connackOf(broker, `${id}${version}`, packet, version)
      const answers = [await ask('a'), await ask('b'), await ask('a'), await ask('c')]
      assert.deepEqual(
        answers.map(({ sessionPresent }) => sessionPresent),
        [false, false, true, false],
      )
    }
  })
})
