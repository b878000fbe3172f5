import assert from 'node:assert/strict'
import fc from 'fast-check'
import { limits } from '../../src/core/limits.ts'
import { FrameReader } from '../../src/mesh/frame-reader.ts'
import { FrameWriter } from '../../src/mesh/frame-writer.ts'

/** Bytes of the frames as they would arrive, cut into chunks of the given sizes over and over. */
function write(frames: readonly Uint8Array[], sizes: readonly number[]): Uint8Array[] {
  const written: Uint8Array[] = []
  const writer = new FrameWriter(
    bytes => written.push(bytes) > 0,
    () => undefined,
  )
  for (const frame of frames) assert.ok(writer.push(frame))
  writer.flush()
  const whole = Buffer.concat(written)
  const chunks: Uint8Array[] = []
  for (let at = 0, i = 0; at < whole.length; i++) {
    const size = sizes[i % sizes.length] ?? whole.length
    chunks.push(new Uint8Array(whole.subarray(at, at + size)))
    at += size
  }
  return chunks
}

describe('FrameReader', () => {
  it('finds the frames a FrameWriter wrote, however the bytes are cut', () => {
    const frame = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.integer({ min: 60_000, max: 140_000 }).map(length => new Uint8Array(length).fill(length)),
    )
    const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 100, max: 100_000 })), {
      minLength: 1,
      maxLength: 6,
    })
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 12 }), sizes, (frames, sizes) => {
        const total = frames.reduce((sum, { length }) => sum + length, 0)
        fc.pre(total / Math.min(...sizes) < 50_000)
        const read: Uint8Array[] = []
        const reader = new FrameReader(frame => read.push(new Uint8Array(frame)))
        for (const chunk of write(frames, sizes)) assert.equal(reader.read(chunk), undefined)
        assert.equal(read.length, frames.length)
        for (const [i, frame] of frames.entries()) assert.ok(Buffer.from(frame).equals(read[i] as Uint8Array))
      }),
      { numRuns: 60 },
    )
  })

  it('reports an announced length over the limit, also when it comes byte by byte', () => {
    const prefix = new Uint8Array(4)
    new DataView(prefix.buffer).setUint32(0, limits.peerFrameBytesMax + 1)
    for (const size of [4, 1]) {
      const reader = new FrameReader(() => assert.fail('no frame is complete'))
      const faults = Array.from({ length: 4 / size }, (_, i) =>
        reader.read(prefix.subarray(i * size, (i + 1) * size)),
      )
      assert.ok(faults.at(-1)?.includes(`announced a frame of ${limits.peerFrameBytesMax + 1} bytes`))
      assert.equal(reader.read(new Uint8Array(100)), undefined)
    }
  })

  it('hands out nothing after stop, not even from the chunk at hand', () => {
    const read: number[] = []
    const reader = new FrameReader(frame => {
      read.push(frame.length)
      reader.stop()
    })
    for (const chunk of write([Uint8Array.of(1), Uint8Array.of(2)], [1000])) reader.read(chunk)
    assert.deepEqual(read, [1])
  })
})

describe('FrameWriter', () => {
  it('writes many small frames as few large chunks', () => {
    const sizes: number[] = []
    const writer = new FrameWriter(
      bytes => sizes.push(bytes.length) > 0,
      () => undefined,
    )
    for (let i = 0; i < 10_000; i++) writer.push(new Uint8Array(256))
    writer.flush()
    assert.equal(
      sizes.reduce((sum, size) => sum + size, 0),
      10_000 * 260,
    )
    assert.ok(sizes.every(size => size <= 65_536))
    assert.ok(sizes.filter(size => size > 60_000).length >= 38, sizes.join())
  })

  it('joins pieces with one head into frames that lie whole in a chunk, however they are mixed with others', () => {
    const source = Uint8Array.from({ length: 100_000 }, (_, i) => i * 7)
    const heads = [Uint8Array.of(1), Uint8Array.of(2, 2)] as const
    const step = fc.oneof(
      fc.record({
        head: fc.constantFrom(0, 1),
        length: fc.integer({ min: 1, max: 700 }),
        skip: fc.boolean(),
      }),
      fc.record({ head: fc.constantFrom(0, 1), length: fc.constantFrom(20_000, 70_000), skip: fc.boolean() }),
      fc.constant('flush' as const),
      fc.constant('frame' as const),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), steps => {
        const expected: number[][] = []
        const chunks: Uint8Array[] = []
        const writer = new FrameWriter(
          bytes => chunks.push(bytes) > 0,
          () => undefined,
        )
        let at = 0
        for (const step of steps) {
          if (step === 'flush') writer.flush()
          else if (step === 'frame') {
            assert.ok(writer.push(Uint8Array.of(9, 9)))
            expected.push([9, 9])
          } else {
            if (step.skip) at += 3
            if (at + step.length > source.length) at = 0
            const head = heads[step.head] as Uint8Array
            assert.ok(writer.pushPiece(head, source, at, at + step.length))
            expected.push([...head, at, step.length])
            at += step.length
          }
        }
        writer.flush()
        const frames: Uint8Array[] = []
        const reader = new FrameReader(frame => frames.push(frame))
        for (const chunk of chunks) assert.equal(reader.read(chunk), undefined)
        // Each frame is the head and then the bytes of the next pieces.
        let next = 0
        for (const frame of frames) {
          const first = expected[next]
          assert.ok(first)
          if (first[0] === 9) {
            assert.deepEqual([...frame], first)
            next++
            continue
          }
          const headLength = first[0] as number
          let offset = headLength
          while (offset < frame.length) {
            const piece = expected[next++]
            assert.ok(piece)
            assert.deepEqual([...frame.subarray(0, headLength)], piece.slice(0, headLength))
            const [from = 0, length = 0] = piece.slice(headLength)
            assert.ok(
              Buffer.from(frame.subarray(offset, offset + length)).equals(
                source.subarray(from, from + length),
              ),
            )
            offset += length
          }
          assert.equal(offset, frame.length)
        }
        assert.equal(next, expected.length)
      }),
      { numRuns: 100 },
    )
  })

  it('needs one frame for pieces that follow one another', () => {
    const written: Uint8Array[] = []
    const writer = new FrameWriter(
      bytes => written.push(bytes) > 0,
      () => undefined,
    )
    const source = new Uint8Array(3000)
    for (let i = 0; i < 10; i++) writer.pushPiece(Uint8Array.of(1), source, i, i + 1)
    const head = Uint8Array.of(1)
    for (let i = 0; i < 10; i++) writer.pushPiece(head, source, 300 * i, 300 * (i + 1))
    writer.flush()
    const lengths: number[] = []
    const reader = new FrameReader(frame => lengths.push(frame.length))
    for (const chunk of written) reader.read(chunk)
    assert.deepEqual(lengths, [...Array.from({ length: 10 }, () => 2), 3001])
  })

  it('hands over nothing more after the sink answered false, until it resumes', () => {
    let handed = 0
    let answer = false
    const writer = new FrameWriter(
      bytes => {
        handed += bytes.length
        return answer
      },
      () => undefined,
    )
    for (let i = 0; i < 3; i++) writer.push(new Uint8Array(100_000))
    writer.flush()
    const first = handed
    assert.ok(first > 0 && first <= 65_536)
    writer.flush()
    assert.equal(handed, first)
    answer = true
    writer.resume()
    assert.equal(handed, 300_012)
  })

  it('never changes bytes it handed over', () => {
    const kept: [bytes: Uint8Array, copy: Uint8Array][] = []
    const writer = new FrameWriter(
      bytes => kept.push([bytes, new Uint8Array(bytes)]) > 0,
      () => undefined,
    )
    for (let i = 0; i < 2000; i++) {
      writer.push(new Uint8Array(i % 500).fill(i))
      if (i % 3 === 0) writer.flush()
    }
    writer.flush()
    for (const [bytes, copy] of kept) assert.ok(Buffer.from(bytes).equals(copy))
  })

  it('tells of room only after it refused a frame, once', () => {
    let drains = 0
    let answer = false
    const writer = new FrameWriter(
      () => answer,
      () => drains++,
    )
    const frame = new Uint8Array(1024 * 1024)
    while (writer.push(frame));
    writer.flush()
    assert.equal(drains, 0)
    answer = true
    writer.resume()
    writer.flush()
    assert.equal(drains, 1)
  })
})
