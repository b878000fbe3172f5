import assert from 'node:assert/strict'
import fc from 'fast-check'
import { PacketFramer, type PacketSink, type SinkAnswer } from '../../../src/mqtt/wire/packet-framer.ts'

/** Encodes one packet with the given type byte and body length, its body counting up. */
function packet(first: number, bodyBytes: number): Buffer {
  const header = [first]
  let rest = bodyBytes
  do {
    header.push((rest & 0x7f) | (rest >= 128 ? 0x80 : 0))
    rest >>= 7
  } while (rest > 0)
  return Buffer.concat([
    Buffer.from(header),
    Buffer.from(Array.from({ length: bodyBytes }, (_, i) => i & 0xff)),
  ])
}

class Collector implements PacketSink {
  readonly packets: string[] = []
  answers: SinkAnswer[] = []

  onPacket(bytes: Uint8Array, start: number, _bodyStart: number, end: number): SinkAnswer {
    const answer = this.answers.shift() ?? 'continue'
    if (answer !== 'retry') this.packets.push(Buffer.from(bytes.subarray(start, end)).toString('hex'))
    return answer
  }
}

describe('PacketFramer', () => {
  it('hands over the same packets however the bytes are cut', () => {
    const answers = fc.constantFrom<SinkAnswer>('continue', 'pause', 'retry')
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 300 })), {
          maxLength: 12,
        }),
        fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 20 }),
        fc.array(answers, { maxLength: 12 }),
        (shapes, cuts, script) => {
          const packets = shapes.map(([first, bodyBytes]) => packet(first, bodyBytes))
          const stream = Buffer.concat(packets)
          const framer = new PacketFramer(1000)
          const sink = new Collector()
          sink.answers = [...script]
          for (let at = 0, i = 0; at < stream.length; i++) {
            const length = cuts[i % cuts.length] ?? 1
            assert.equal(framer.feed(Buffer.from(stream.subarray(at, at + length)), sink), undefined)
            at += length
            if (i % 3 === 0 && framer.isPaused) assert.equal(framer.resume(sink), undefined)
          }
          while (framer.isPaused) assert.equal(framer.resume(sink), undefined)
          assert.deepEqual(
            sink.packets,
            packets.map(bytes => bytes.toString('hex')),
          )
        },
      ),
    )
  })

  it('hands over nothing after the sink is closed, also when the last packet came in two pieces', () => {
    const stream = Buffer.concat([packet(0xe0, 4), packet(0x82, 10), packet(0x30, 3)])
    for (const cut of [0, 1, 3]) {
      const framer = new PacketFramer(1000)
      const sink = new Collector()
      sink.answers = ['closed']
      framer.feed(Buffer.from(stream.subarray(0, cut)), sink)
      framer.feed(Buffer.from(stream.subarray(cut)), sink)
      framer.feed(Buffer.from(stream), sink)
      assert.equal(sink.packets.length, 1)
    }
  })

  it('[MQTT-1.5.5-1] refuses a remaining length of five bytes', () => {
    const fault = new PacketFramer(1000).feed(
      Buffer.from([0x30, 0x80, 0x80, 0x80, 0x80, 0x01]),
      new Collector(),
    )
    assert.equal(fault?.reasonCode, 0x81)
  })

  it('refuses a packet over its limit as soon as the header announces it, also byte by byte', () => {
    const header = [0x30, 0xff, 0xff, 0xff, 0x7f]
    assert.equal(new PacketFramer(1000).feed(Buffer.from(header), new Collector())?.reasonCode, 0x95)
    const framer = new PacketFramer(1000)
    const faults = header.map(byte => framer.feed(Buffer.from([byte]), new Collector())?.reasonCode)
    assert.deepEqual(faults, [undefined, undefined, undefined, undefined, 0x95])
  })

  it('keeps waiting for what was announced and never sent', () => {
    const sink = new Collector()
    assert.equal(new PacketFramer(10_000).feed(Buffer.from([0x30, 0x80, 0x20, 1, 2, 3]), sink), undefined)
    assert.deepEqual(sink.packets, [])
  })
})
