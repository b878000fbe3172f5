import assert from 'node:assert/strict'
import type { MessageStream } from '@libp2p/interface'
import { batchSends, sendWhole } from '../../src/mesh/send-batcher.ts'

/** As much of a libp2p stream as the batcher touches. */
class FakeStream {
  status = 'open'
  readonly sent: Uint8Array[] = []
  answer = true
  failure: Error | undefined
  abortedWith: Error | undefined
  closedAfter: number | undefined

  send(data: Uint8Array | Iterable<Uint8Array>): boolean {
    if (this.failure !== undefined) throw this.failure
    const pieces = data instanceof Uint8Array ? [data] : [...data]
    this.sent.push(...pieces)
    return this.answer
  }

  abort(error: Error): void {
    this.status = 'aborted'
    this.abortedWith = error
  }

  close(): Promise<void> {
    this.closedAfter = this.sent.length
    this.status = 'closed'
    return Promise.resolve()
  }

  get asStream(): MessageStream {
    return this as unknown as MessageStream
  }
}

function batched(hold: (message: Uint8Array) => boolean = () => false): {
  fake: FakeStream
  stream: MessageStream
} {
  const fake = new FakeStream()
  const stream = fake.asStream
  batchSends(stream, hold)
  return { fake, stream }
}

const endOfTurn = (): Promise<void> => new Promise(resolve => queueMicrotask(resolve))

describe('batchSends', () => {
  it('sends the messages of one turn as one, in order', async () => {
    const { fake, stream } = batched()
    for (const text of ['one ', 'two ', 'three']) assert.equal(stream.send(Buffer.from(text)), true)
    assert.deepEqual(fake.sent, [])
    await endOfTurn()
    assert.equal(fake.sent.length, 1)
    assert.equal(Buffer.concat(fake.sent).toString(), 'one two three')
  })

  it('does not put more into one than an encrypted message holds, and never changes the order', async () => {
    const { fake, stream } = batched()
    const messages = [10, 12_000, 12_000, 60_000, 5, 15_000, 15_000, 15_000, 15_000, 15_000, 7]
    for (const [i, length] of messages.entries()) stream.send(new Uint8Array(length).fill(i))
    await endOfTurn()
    const expected = Buffer.concat(messages.map((length, i) => Buffer.alloc(length, i)))
    assert.ok(Buffer.concat(fake.sent).equals(expected))
    for (const { length } of fake.sent) assert.ok(length <= 65_519, String(length))
    assert.ok(fake.sent.length < messages.length)
  })

  it('hands a large message on without waiting', () => {
    const { fake, stream } = batched()
    const large = new Uint8Array(50_000)
    stream.send(large)
    assert.equal(fake.sent[0], large)
  })

  it('answers false from when the stream is full until it is not, and keeps the order meanwhile', async () => {
    const { fake, stream } = batched()
    fake.answer = false
    assert.equal(stream.send(Buffer.from('a')), true)
    await endOfTurn()
    assert.equal(stream.send(Buffer.from('b')), false)
    fake.answer = true
    assert.equal(stream.send(Buffer.from('c')), true)
    assert.equal(stream.send(Buffer.from('d')), true)
    await endOfTurn()
    assert.equal(Buffer.concat(fake.sent).toString(), 'abcd')
  })

  it('leaves out what is held back', async () => {
    const { fake, stream } = batched(message => message[0] === 1)
    for (const first of [0, 1, 2]) stream.send(Uint8Array.of(first))
    await endOfTurn()
    assert.deepEqual(Buffer.concat(fake.sent), Buffer.of(0, 2))
  })

  it('does not say of what it held back that the stream is full, since no drain need follow', async () => {
    const { fake, stream } = batched(message => message[0] === 1)
    fake.answer = false
    stream.send(Uint8Array.of(0))
    await endOfTurn()
    fake.answer = true // it has drained, of which only its other listeners hear
    assert.equal(stream.send(Uint8Array.of(1)), true)
  })

  it('sends what waits before it closes', async () => {
    const { fake, stream } = batched()
    stream.send(Buffer.from('goodbye'))
    await stream.close()
    assert.equal(fake.closedAfter, 1)
  })

  it('drops what waits when the stream has ended, and leaves later messages to the stream to refuse', async () => {
    const { fake, stream } = batched()
    stream.send(Buffer.from('late'))
    fake.status = 'reset'
    await endOfTurn()
    assert.deepEqual(fake.sent, [])
    fake.failure = new Error('it is closed')
    assert.throws(() => stream.send(Buffer.from('later')), /it is closed/)
  })

  it('ends the stream when what waited cannot be sent, since its sender has been answered', async () => {
    const { fake, stream } = batched()
    stream.send(Buffer.from('a'))
    fake.failure = new Error('no more nonces')
    await endOfTurn()
    assert.equal(fake.abortedWith, fake.failure)
  })
})

describe('sendWhole', () => {
  it('makes one piece of a small message, and leaves a large one alone', () => {
    const fake = new FakeStream()
    const stream = fake.asStream
    sendWhole(stream)
    const inPieces = (...pieces: Uint8Array[]): Parameters<MessageStream['send']>[0] =>
      Object.assign(pieces, { byteLength: Buffer.concat(pieces).length }) as never
    stream.send(inPieces(Buffer.from('ab'), Buffer.from('cd')))
    assert.deepEqual(fake.sent.map(String), ['97,98,99,100'])
    stream.send(inPieces(Buffer.alloc(20_000), Buffer.alloc(2)))
    assert.deepEqual(
      fake.sent.slice(1).map(({ length }) => length),
      [20_000, 2],
    )
  })
})
