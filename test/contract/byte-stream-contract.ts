import assert from 'node:assert/strict'
import type { ByteStream, ByteStreamListener } from '../../src/core/ports/byte-stream.ts'

/** The other end of a `ByteStream` under test. */
export interface ByteStreamPeer {
  write(bytes: Uint8Array): void
  /** Bytes written that did not leave this process yet. */
  readonly pendingBytes: number
  /** Everything received so far. */
  received(): Buffer
  pause(): void
  resume(): void
  /** Sends what was written, then closes. */
  end(): void
  /** Breaks the connection (TCP RST). */
  reset(): void
  /** Whether the connection is closed. */
  readonly isClosed: boolean
  /** Called whenever one of the above may have changed. */
  onChange: () => void
}

/** A connected stream to which nobody listens yet. */
export interface ByteStreamPair {
  readonly stream: ByteStream
  readonly peer: ByteStreamPeer
  /** Time of a simulated one: lets some pass, and runs a task a little later. */
  readonly time?: { pass(): Promise<void>; later(task: () => void): void }
  close(): Promise<void>
}

/** What a stream tells; notes what it must not tell. */
class Recorder implements ByteStreamListener {
  readonly chunks: Buffer[] = []
  readonly closes: (string | undefined)[] = []
  readonly violations: string[] = []
  byteCount = 0
  drainCount = 0
  mayGetData = true
  onChunk: (chunk: Uint8Array) => void = () => {}
  #waiting: (() => void)[] = []

  onData(chunk: Uint8Array): void {
    if (this.closes.length > 0) this.violations.push('onData after onClose')
    if (!this.mayGetData) this.violations.push('onData while paused')
    this.chunks.push(Buffer.from(chunk))
    this.byteCount += chunk.length
    this.onChunk(chunk)
    this.changed()
  }

  onDrain(): void {
    if (this.closes.length > 0) this.violations.push('onDrain after onClose')
    this.drainCount++
    this.changed()
  }

  onClose(error: string | undefined): void {
    this.closes.push(error)
    this.changed()
  }

  changed(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }

  received(): Buffer {
    return Buffer.concat(this.chunks)
  }

  /** Waits for the next event. */
  async next(): Promise<void> {
    return new Promise<void>(resolve => this.#waiting.push(resolve))
  }
}

/** What every `ByteStream` owes its callers. `remote`: who is at the other end. */
export function byteStreamContract(
  name: string,
  remote: RegExp,
  connect: () => Promise<ByteStreamPair>,
): void {
  describe(`${name} keeps the ByteStream contract`, function () {
    this.timeout(20_000)
    let pair: ByteStreamPair
    let stream: ByteStream
    let peer: ByteStreamPeer
    let events: Recorder

    beforeEach(async () => {
      pair = await connect()
      ;({ stream, peer } = pair)
      events = new Recorder()
      peer.onChange = () => events.changed()
      stream.listen(events)
    })
    afterEach(async () => {
      stream.destroy()
      await until(() => events.closes.length > 0)
      await pair.close()
      assert.equal(events.closes.length, 1, 'onClose once')
      assert.deepEqual(events.violations, [])
    })

    /** Waits until `condition` holds; the test's own timeout is the limit. */
    async function until(condition: () => boolean): Promise<void> {
      while (!condition()) await (pair.time === undefined ? events.next() : pair.time.pass())
    }

    function turn(): Promise<void> {
      return pair.time?.pass() ?? new Promise(setImmediate)
    }

    /** The peer has seen everything that was written before, and this process has been through its event loop. */
    async function roundTrip(): Promise<void> {
      const before = peer.received().length
      stream.write(Buffer.from('!'))
      await until(() => peer.received().length > before)
    }

    /** Writes until bytes stay here because the peer does not read; answers what was written. */
    async function fill(): Promise<Buffer[]> {
      const sent: Buffer[] = []
      for (;;) {
        const chunk = pattern(256 * 1024)
        const isRoom = stream.write(chunk)
        sent.push(chunk)
        await turn()
        await turn()
        if (stream.pendingBytes === 0) continue
        assert.equal(isRoom, false)
        return sent
      }
    }

    it('says who the other end is', () => {
      assert.match(stream.remote, remote)
    })

    it('hands over bytes in order and intact, however they were cut', async () => {
      const sent = pattern(300_000)
      for (const piece of cut(sent)) peer.write(piece)
      await until(() => events.byteCount >= sent.length)
      assert.ok(events.received().equals(sent))
    })

    it('never hands over an empty chunk', async () => {
      peer.write(new Uint8Array(0))
      peer.write(Buffer.from('a'))
      await until(() => events.byteCount === 1)
      assert.deepEqual(
        events.chunks.map(chunk => chunk.length),
        [1],
      )
    })

    it('sends bytes in order and intact, however they were cut', async () => {
      const sent = pattern(300_000)
      for (const piece of cut(sent)) stream.write(piece)
      await until(() => peer.received().length >= sent.length)
      assert.ok(peer.received().equals(sent))
    })

    it('hands over nothing while paused, holds the peer back, and then hands over everything in order', async () => {
      const sent = pattern(32 * 1024 * 1024)
      stream.pause()
      events.mayGetData = false
      peer.write(sent)
      await roundTrip()
      assert.ok(peer.pendingBytes > 0, 'back-pressure reaches the peer')
      events.mayGetData = true
      stream.resume()
      await until(() => events.byteCount >= sent.length)
      assert.ok(events.received().equals(sent))
    })

    it('can be paused and resumed in the middle of what arrives', async () => {
      const sent = pattern(20_000)
      events.onChunk = () => {
        stream.pause()
        events.mayGetData = false
        const resume = (): void => {
          events.mayGetData = true
          stream.resume()
        }
        if (pair.time === undefined) setImmediate(resume)
        else pair.time.later(resume)
      }
      for (let i = 0; i < sent.length; i += 100) peer.write(sent.subarray(i, i + 100))
      await until(() => events.byteCount >= sent.length)
      assert.ok(events.received().equals(sent))
    })

    it('hands over what came before the close although it was paused', async () => {
      const sent = pattern(5000)
      events.onChunk = () => {
        stream.pause()
        events.mayGetData = false
      }
      for (let i = 0; i < sent.length; i += 100) peer.write(sent.subarray(i, i + 100))
      peer.end()
      await until(() => events.byteCount > 0)
      await turn()
      events.onChunk = () => {}
      events.mayGetData = true
      stream.resume()
      await until(() => events.closes.length > 0)
      assert.ok(events.received().equals(sent))
      assert.deepEqual(events.closes, [undefined])
    })

    it('answers false to a write beyond its mark, drains when the peer reads, and has nothing pending then', async () => {
      peer.pause()
      const sent = await fill()
      const drainCount = events.drainCount
      peer.resume()
      await until(() => events.drainCount > drainCount)
      assert.equal(stream.pendingBytes, 0)
      const expected = Buffer.concat(sent)
      await until(() => peer.received().length >= expected.length)
      assert.ok(peer.received().equals(expected))
    })

    it('is done with a buffer as soon as nothing is pending', async () => {
      const expected: Buffer[] = []
      let reusedCount = 0
      peer.pause()
      for (let i = 0; i < 400; i++) {
        const buffer = pattern(1 + ((i * 7919) % 60_000), i)
        expected.push(Buffer.from(buffer))
        stream.write(buffer)
        if (i % 3 === 0) await turn()
        if (stream.pendingBytes === 0) {
          buffer.fill(0xff)
          reusedCount++
        }
        if (i === 200) peer.resume()
      }
      assert.ok(reusedCount > 0, 'pendingBytes was 0 at least once')
      const all = Buffer.concat(expected)
      await until(() => peer.received().length >= all.length)
      assert.ok(peer.received().equals(all))
    })

    it('delivers what was written before end, then closes', async () => {
      const sent = pattern(4 * 1024 * 1024)
      stream.write(sent)
      stream.end()
      await until(() => peer.isClosed && events.closes.length > 0)
      assert.ok(peer.received().equals(sent))
      assert.deepEqual(events.closes, [undefined])
    })

    it('delivers what was written before end although it did not read what the peer sent', async () => {
      stream.pause()
      events.mayGetData = false
      peer.write(pattern(1024 * 1024))
      await roundTrip()
      stream.write(Buffer.from('farewell'))
      stream.end()
      await until(() => peer.isClosed && events.closes.length > 0)
      assert.equal(peer.received().toString(), '!farewell')
    })

    it('takes nothing after end', async () => {
      stream.write(Buffer.from('a'))
      stream.end()
      assert.equal(stream.write(Buffer.from('b')), false)
      stream.end()
      await until(() => peer.isClosed && events.closes.length > 0)
      assert.equal(peer.received().toString(), 'a')
    })

    it('closes within seconds of end although the peer reads nothing and keeps sending', async () => {
      peer.pause()
      await fill()
      const sending = setInterval(() => peer.write(Buffer.from('x')), 50)
      try {
        stream.end()
        await until(() => events.closes.length > 0)
      } finally {
        clearInterval(sending)
      }
    })

    it('closes at once on destroy', async () => {
      stream.destroy()
      await until(() => events.closes.length > 0 && peer.isClosed)
      assert.deepEqual(events.closes, [undefined])
    })

    it('tells an orderly close by the peer, after all its bytes', async () => {
      const sent = pattern(100_000)
      peer.write(sent)
      peer.end()
      await until(() => events.closes.length > 0)
      assert.deepEqual(events.closes, [undefined])
      assert.ok(events.received().equals(sent))
    })

    it('tells why when the peer resets the connection', async () => {
      peer.write(Buffer.from('a'))
      await until(() => events.byteCount === 1)
      peer.reset()
      await until(() => events.closes.length > 0)
      assert.deepEqual(events.closes, ['ECONNRESET'])
    })

    it('may be ended and destroyed after it closed', async () => {
      peer.end()
      await until(() => events.closes.length > 0)
      stream.write(Buffer.from('a'))
      stream.pause()
      stream.resume()
      stream.end()
      stream.destroy()
      await turn()
    })
  })
}

/** Bytes in which a lost, doubled or moved piece shows. */
function pattern(byteCount: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafeSlow(byteCount)
  let state = seed + 1
  for (let i = 0; i < byteCount; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    bytes[i] = state >>> 16
  }
  return bytes
}

/** Pieces of 1 byte to some ten thousand, the same every time. */
function cut(bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = [1, 2, 125, 126, 1000, 65_535, 3, 17_000][i % 8] as number
    pieces.push(bytes.subarray(at, at + size))
    at += size
  }
  return pieces
}
