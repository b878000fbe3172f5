import assert from 'node:assert/strict'
import mqttPacket, { type IPublishPacket, type Packet } from 'mqtt-packet'
import { packetIdOf, PublishBatch } from '../../../bench/load/publish-batch.ts'

function decode(bytes: Uint8Array, protocolVersion: number): IPublishPacket[] {
  const packets: IPublishPacket[] = []
  const parser = mqttPacket.parser({ protocolVersion })
  parser.on('packet', (packet: Packet) => {
    assert(packet.cmd === 'publish')
    packets.push(packet)
  })
  parser.on('error', (error: Error) => {
    throw error
  })
  parser.parse(Buffer.from(bytes))
  return packets
}

describe('PublishBatch', () => {
  for (const version of [4, 5] as const) {
    for (const qos of [0, 1, 2] as const) {
      it(`makes PUBLISH packets that mqtt-packet reads back, version ${version}, QoS ${qos}`, () => {
        const topic = 'bench/täst'
        for (const payloadBytes of [16, 100, 256, 65_536]) {
          const batch = new PublishBatch({ version, topic, qos, payloadBytes, publisher: 7, capacity: 4 })
          const packets = decode(batch.fill(3, 1000, 50.5, 0.25), version)
          assert.equal(packets.length, 3)
          for (const [index, packet] of packets.entries()) {
            assert.equal(packet.topic, topic)
            assert.equal(packet.qos, qos)
            assert.equal(packet.retain, false)
            assert.equal(packet.dup, false)
            assert.equal(packet.messageId, qos === 0 ? undefined : packetIdOf(1000 + index))
            const payload = Buffer.from(packet.payload)
            assert.equal(payload.length, payloadBytes)
            assert.equal(payload.readUInt32BE(0), 7)
            assert.equal(payload.readUInt32BE(4), 1000 + index)
            assert.equal(payload.readDoubleBE(8), 50.5 + index * 0.25)
          }
        }
      })
    }
  }

  it('sets the retain flag', () => {
    const options = { version: 4, topic: 't', qos: 1, payloadBytes: 16, publisher: 0, capacity: 1 } as const
    const batch = new PublishBatch({ ...options, retain: true })
    assert.equal(decode(batch.fill(1, 0, 0, 0), 4)[0]?.retain, true)
  })

  it('never uses packet identifier 0 and repeats none within 65,535 messages', () => {
    const ids = new Set(Array.from({ length: 65_535 }, (_, sequence) => packetIdOf(sequence + 60_000)))
    assert.equal(ids.size, 65_535)
    assert(!ids.has(0))
    assert(!ids.has(65_536))
  })
})
