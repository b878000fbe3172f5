import assert from 'node:assert/strict'
import fc from 'fast-check'
import mqttPacket, { type Packet } from 'mqtt-packet'
import { PacketScanner, type PacketSink } from '../../../bench/load/packet-scanner.ts'

const payloadBytes = 300

/** What a sink was told, as comparable rows. */
class RecordingSink implements PacketSink {
  readonly seen: unknown[][] = []

  onPublish(qos: number, packetId: number, publisher: number, sequence: number, sentAt: number): void {
    this.seen.push(['publish', qos, packetId, publisher, sequence, sentAt])
  }

  onAcknowledgement(type: number, packetId: number): void {
    this.seen.push(['acknowledgement', type, packetId])
  }

  onControl(type: number, bytes: Buffer): void {
    this.seen.push(['control', type, bytes.toString('hex')])
  }
}

function stamped(publisher: number, sequence: number, sentAt: number): Buffer {
  const payload = Buffer.alloc(payloadBytes, 0x33)
  payload.writeUInt32BE(publisher, 0)
  payload.writeUInt32BE(sequence, 4)
  payload.writeDoubleBE(sentAt, 8)
  return payload
}

const packetId = fc.integer({ min: 1, max: 65_535 })

/** A packet made by mqtt-packet, and what the scanner must say about it. */
function expectedPackets(protocolVersion: 4 | 5): fc.Arbitrary<[Buffer, unknown[]]> {
  const generate = (packet: Packet) => mqttPacket.generate(packet, { protocolVersion })
  const publish = fc
    .record({
      qos: fc.constantFrom(0 as const, 1 as const, 2 as const),
      id: packetId,
      topic: fc.stringMatching(/^[a-z/]{1,200}$/),
      publisher: fc.nat(1000),
      sequence: fc.nat(2 ** 32 - 1),
      sentAt: fc.double({ noNaN: true, noDefaultInfinity: true }),
      userProperty: fc.string({ maxLength: 40 }),
    })
    .map(({ qos, id, topic, publisher, sequence, sentAt, userProperty }): [Buffer, unknown[]] => [
      generate({
        ...{ cmd: 'publish', topic, qos, dup: false, retain: false },
        payload: stamped(publisher, sequence, sentAt),
        ...(qos === 0 ? {} : { messageId: id }),
        ...(protocolVersion === 5 ? { properties: { userProperties: { key: userProperty } } } : {}),
      }),
      ['publish', qos, qos === 0 ? 0 : id, publisher, sequence, sentAt],
    ])
  const acknowledgement = fc
    .tuple(
      fc.constantFrom('puback' as const, 'pubrec' as const, 'pubrel' as const, 'pubcomp' as const),
      packetId,
    )
    .map(([cmd, messageId]): [Buffer, unknown[]] => {
      const types = { puback: 4, pubrec: 5, pubrel: 6, pubcomp: 7 }
      return [generate({ cmd, messageId }), ['acknowledgement', types[cmd], messageId]]
    })
  const pingresp = fc.constant<[Buffer, unknown[]]>([Buffer.from([0xd0, 0]), ['control', 13, 'd000']])
  return fc.oneof(publish, acknowledgement, pingresp)
}

describe('PacketScanner', () => {
  for (const version of [4, 5] as const) {
    it(`reads what mqtt-packet wrote, however the stream is cut, version ${version}`, () => {
      const cuts = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 20 })
      fc.assert(
        fc.property(fc.array(expectedPackets(version), { maxLength: 12 }), cuts, (packets, sizes) => {
          const stream = Buffer.concat(packets.map(([bytes]) => bytes))
          const sink = new RecordingSink()
          const scanner = new PacketScanner(sink, payloadBytes)
          const receive = Buffer.alloc(700)
          const view = new DataView(receive.buffer, receive.byteOffset, receive.length)
          for (let at = 0, turn = 0; at < stream.length; turn++) {
            const length = stream.copy(receive, 0, at, at + (sizes[turn % sizes.length] ?? 1))
            scanner.scan(receive, view, length)
            at += length
          }
          assert.deepEqual(
            sink.seen,
            packets.map(([, expected]) => expected),
          )
        }),
      )
    })
  }

  it('reports a PUBLISH only when its last byte is there', () => {
    const sink = new RecordingSink()
    const scanner = new PacketScanner(sink, payloadBytes)
    const bytes = mqttPacket.generate({
      ...{ cmd: 'publish', topic: 't', qos: 0, dup: false, retain: false },
      payload: stamped(1, 2, 3),
    })
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    scanner.scan(bytes, view, bytes.length - 1)
    assert.equal(sink.seen.length, 0)
    const rest = bytes.subarray(-1)
    scanner.scan(rest, new DataView(rest.buffer, rest.byteOffset, 1), 1)
    assert.deepEqual(sink.seen, [['publish', 0, 0, 1, 2, 3]])
  })

  it('refuses a payload of another size and a malformed length', () => {
    const scan = (bytes: Buffer) => {
      const scanner = new PacketScanner(new RecordingSink(), payloadBytes)
      scanner.scan(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.length), bytes.length)
    }
    const small = { cmd: 'publish', topic: 't', qos: 0, dup: false, retain: false, payload: 'small' } as const
    assert.throws(() => scan(mqttPacket.generate(small)), /payload of another size/)
    assert.throws(() => scan(Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x01])), /remaining length/)
  })
})
