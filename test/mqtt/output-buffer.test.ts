import assert from 'node:assert/strict'
import fc from 'fast-check'
import { BufferPool } from '../../src/mqtt/buffer-pool.ts'
import { OutputBuffer } from '../../src/mqtt/output-buffer.ts'
import { MqttHarness } from './support/mqtt-harness.ts'

describe('OutputBuffer', () => {
  const piece = fc.oneof(
    fc.record({ what: fc.constant('append' as const), bytes: fc.uint8Array({ maxLength: 300 }) }),
    fc.record({
      what: fc.constant('run' as const),
      source: fc.nat({ max: 2 }),
      length: fc.integer({ min: 1, max: 400 }),
      jump: fc.boolean(),
    }),
    fc.record({ what: fc.constant('flush' as const) }),
  )

  it('sends the bytes in the order they were appended, whatever lies together elsewhere', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), pieces => {
        const sources = [7, 8, 9].map(seed => Uint8Array.from({ length: 4000 }, (_, i) => (i * seed) & 0xff))
        const cursors = [0, 0, 0]
        const output = new OutputBuffer(new BufferPool())
        const sent: Buffer[] = []
        const expected: Buffer[] = []
        const stream = {
          remote: '',
          pendingBytes: 0,
          listen() {},
          pause() {},
          resume() {},
          end() {},
          destroy() {},
          write(bytes: Uint8Array) {
            sent.push(Buffer.from(bytes))
            return true
          },
        }
        for (const part of pieces) {
          if (part.what === 'append') {
            output.append(part.bytes)
            expected.push(Buffer.from(part.bytes))
          } else if (part.what === 'run') {
            const source = sources[part.source] as Uint8Array
            const start = part.jump ? 0 : (cursors[part.source] ?? 0) % 3000
            output.appendRun(source, start, start + part.length)
            cursors[part.source] = start + part.length
            expected.push(Buffer.from(source.subarray(start, start + part.length)))
          } else {
            output.flushTo(stream)
            assert.equal(output.length, 0)
          }
        }
        assert.equal(
          output.length + Buffer.concat(sent).length,
          expected.reduce((sum, bytes) => sum + bytes.length, 0),
        )
        output.flushTo(stream)
        assert.deepEqual(Buffer.concat(sent), Buffer.concat(expected))
      }),
      { numRuns: 500 },
    )
  })
})

describe('a client with a large window', () => {
  it('takes a burst of retained messages that fills its output many times over', async () => {
    const harness = new MqttHarness({
      inflightMax: 1000,
      queueMessagesMax: 10_000,
      retainedMessagesMax: 10_000,
    })
    const publisher = await harness.connect('p')
    for (let i = 0; i < 2000; i++) {
      publisher.send({
        cmd: 'publish',
        topic: `r/${i}`,
        payload: Buffer.alloc(500),
        qos: 0,
        dup: false,
        retain: true,
      })
    }
    await harness.settle()
    const subscriber = await harness.connect('s')
    await harness.subscribe(subscriber, 'r/#', 0)
    await harness.settle()
    assert.equal(subscriber.of('publish').length, 2000)
    const acknowledging = await harness.connect('q')
    publisher.send({
      cmd: 'publish',
      topic: 'r/x',
      payload: 'x',
      qos: 1,
      dup: false,
      retain: true,
      messageId: 1,
    })
    await harness.subscribe(acknowledging, 'r/#', 1)
    assert.equal(acknowledging.of('publish').length, 2001)
  })

  it('gets a backlog at QoS 1 that fills its output many times over, once and in order', async () => {
    const harness = new MqttHarness({ inflightMax: 1000, queueMessagesMax: 10_000, receiveMax: 65_535 })
    const terms = { clean: false, properties: { sessionExpiryInterval: 100 } }
    const away = await harness.connect('s', terms)
    await harness.subscribe(away, 'a', 1)
    away.vanish()
    const publisher = await harness.connect('p')
    for (let i = 1; i <= 900; i++) {
      publisher.send({
        cmd: 'publish',
        topic: 'a',
        payload: Buffer.alloc(1000, String(i)),
        qos: 1,
        dup: false,
        retain: true,
        messageId: i,
      })
    }
    await harness.settle()
    const back = await harness.connect('s', terms)
    const ids = back.of('publish').map(({ messageId }) => messageId ?? 0)
    assert.equal(ids.length, 900)
    assert.deepEqual(
      ids,
      [...ids].sort((a, b) => a - b),
    )
  })
})
