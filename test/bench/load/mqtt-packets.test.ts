import assert from 'node:assert/strict'
import fc from 'fast-check'
import mqttPacket, { type Packet } from 'mqtt-packet'
import {
  acknowledgementHead,
  disconnectPacket,
  encodeConnect,
  encodeRemainingLength,
  encodeSubscribe,
  writeAcknowledgement,
} from '../../../bench/load/mqtt-packets.ts'

function decode(bytes: Uint8Array, protocolVersion: number): Packet[] {
  const packets: Packet[] = []
  const parser = mqttPacket.parser({ protocolVersion })
  parser.on('packet', (packet: Packet) => packets.push(packet))
  parser.on('error', (error: Error) => {
    throw error
  })
  parser.parse(Buffer.from(bytes))
  return packets
}

describe('bench mqtt-packets', () => {
  for (const version of [4, 5] as const) {
    it(`encodes a CONNECT that mqtt-packet understands, version ${version}`, () => {
      fc.assert(
        fc.property(fc.string({ minLength: 1, maxLength: 300 }), fc.boolean(), (clientId, cleanSession) => {
          const [packet] = decode(encodeConnect({ version, clientId, cleanSession }), version)
          assert(packet?.cmd === 'connect')
          assert.equal(packet.clientId, Buffer.from(clientId).toString())
          assert.equal(packet.clean, cleanSession)
          assert.equal(packet.protocolVersion, version)
          assert.equal(packet.keepalive, 0)
          const expiry = packet.properties?.sessionExpiryInterval
          assert.equal(expiry, version === 5 && !cleanSession ? 3600 : undefined)
        }),
      )
    })

    it(`encodes a SUBSCRIBE that mqtt-packet understands, version ${version}`, () => {
      const [packet] = decode(encodeSubscribe(version, '$share/g/a/+', 2), version)
      assert(packet?.cmd === 'subscribe')
      assert.equal(packet.messageId, 1)
      assert.equal(packet.subscriptions[0]?.topic, '$share/g/a/+')
      assert.equal(packet.subscriptions[0].qos, 2)
    })

    it(`asks for a barrier in a SUBSCRIBE only where there are user properties, version ${version}`, () => {
      const [packet] = decode(encodeSubscribe(version, 'a/+', 1, 'quorum'), version)
      assert(packet?.cmd === 'subscribe')
      assert.equal(packet.subscriptions[0]?.topic, 'a/+')
      const { userProperties } = packet.properties ?? {}
      assert.deepEqual({ ...userProperties }, version === 5 ? { 'suback-barrier': 'quorum' } : {})
    })

    it(`encodes acknowledgements and DISCONNECT that mqtt-packet understands, version ${version}`, () => {
      const names = ['puback', 'pubrec', 'pubrel', 'pubcomp'] as const
      const bytes = Buffer.alloc(4 * names.length)
      let at = 0
      for (const name of names) at = writeAcknowledgement(bytes, at, acknowledgementHead[name], 0xfeed)
      const packets = decode(Buffer.concat([bytes, disconnectPacket]), version)
      assert.deepEqual(
        packets.map(({ cmd }) => cmd),
        [...names, 'disconnect'],
      )
      assert.deepEqual(
        packets.slice(0, 4).map(({ messageId }) => messageId),
        [0xfeed, 0xfeed, 0xfeed, 0xfeed],
      )
    })
  }

  it('encodes lengths at the borders of the variable byte integer', () => {
    const borders: [number, number[]][] = [
      [0, [0]],
      [127, [0x7f]],
      [128, [0x80, 0x01]],
      [16_383, [0xff, 0x7f]],
      [16_384, [0x80, 0x80, 0x01]],
      [2_097_151, [0xff, 0xff, 0x7f]],
      [2_097_152, [0x80, 0x80, 0x80, 0x01]],
      [268_435_455, [0xff, 0xff, 0xff, 0x7f]],
    ]
    for (const [length, bytes] of borders) assert.deepEqual([...encodeRemainingLength(length)], bytes)
  })
})
