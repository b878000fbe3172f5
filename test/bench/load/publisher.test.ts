import assert from 'node:assert/strict'
import { SequenceLedger } from '../../../bench/load/delivery-ledger.ts'
import type { LoadConnection } from '../../../bench/load/load-connection.ts'
import { PublishBatch } from '../../../bench/load/publish-batch.ts'
import { Publisher } from '../../../bench/load/publisher.ts'

/** Stands in for the socket: keeps what was written, and is blocked when told. */
class RecordingConnection {
  receiver: unknown
  blocked = false
  readonly writes: Buffer[] = []

  write(bytes: Uint8Array): void {
    this.writes.push(Buffer.from(bytes))
  }
}

function setUp(qos: 0 | 1 | 2, window: number) {
  const connection = new RecordingConnection()
  const ledger = new SequenceLedger(1, 1)
  const options = { version: 4, topic: 't', qos, payloadBytes: 16, publisher: 0, capacity: window } as const
  const batch = new PublishBatch(options)
  const publisher = new Publisher({
    ...{ index: 0, qos, batch, ledger, copies: 1, window, wake: () => {} },
    connection: connection as unknown as LoadConnection,
  })
  const sentTimes = () =>
    connection.writes.flatMap(bytes =>
      Array.from({ length: bytes.length / batch.packetBytes }, (_, index) =>
        bytes.readDoubleBE((index + 1) * batch.packetBytes - 8),
      ),
    )
  return { connection, ledger, publisher, sentTimes }
}

describe('Publisher', () => {
  it('fills its window once and waits for deliveries', () => {
    const { ledger, publisher } = setUp(0, 8)
    publisher.pumpClosedLoop(1)
    publisher.pumpClosedLoop(2)
    assert.equal(publisher.sent, 8)
    ledger.deliver(0, 0, 0)
    publisher.pumpClosedLoop(3)
    assert.equal(publisher.sent, 8, 'less than a quarter of the window is free')
    ledger.deliver(0, 0, 1)
    publisher.pumpClosedLoop(4)
    assert.equal(publisher.sent, 10)
  })

  it('waits for acknowledgements as well at QoS 1', () => {
    const { ledger, publisher } = setUp(1, 4)
    publisher.pumpClosedLoop(1)
    for (let sequence = 0; sequence < 4; sequence++) ledger.deliver(0, 0, sequence)
    publisher.pumpClosedLoop(2)
    assert.equal(publisher.sent, 4)
    assert.equal(publisher.idle, false)
    for (let id = 1; id <= 4; id++) publisher.onAcknowledgement(4, id)
    assert.equal(publisher.idle, true)
    publisher.pumpClosedLoop(3)
    assert.equal(publisher.sent, 8)
  })

  it('answers PUBREC with PUBREL and completes at PUBCOMP', () => {
    const { connection, ledger, publisher } = setUp(2, 1)
    publisher.pumpClosedLoop(1)
    ledger.deliver(0, 0, 0)
    publisher.onChunkStart()
    publisher.onAcknowledgement(5, 1)
    publisher.onChunkEnd()
    assert.equal(connection.writes.at(-1)?.toString('hex'), '62020001')
    assert.equal(publisher.idle, false)
    publisher.onAcknowledgement(7, 1)
    assert.equal(publisher.idle, true)
  })

  it('sends at a fixed rate exactly what is due, stamped with the time at which it was due', () => {
    const { publisher, sentTimes } = setUp(0, 100)
    publisher.pumpFixedRate(100, 100, 10, 1000)
    assert.equal(publisher.sent, 0)
    publisher.pumpFixedRate(101, 100, 10, 1000)
    publisher.pumpFixedRate(105, 100, 10, 1000)
    assert.deepEqual(sentTimes(), [100])
    publisher.pumpFixedRate(131, 100, 10, 1000)
    assert.deepEqual(sentTimes(), [100, 110, 120, 130])
  })

  it('charges a stalled connection with the wait of every message it held up', () => {
    const { connection, publisher, sentTimes } = setUp(0, 100)
    connection.blocked = true
    publisher.pumpFixedRate(150, 100, 10, 1000)
    assert.equal(publisher.sent, 0)
    connection.blocked = false
    publisher.pumpFixedRate(151, 100, 10, 1000)
    assert.deepEqual(sentTimes(), [100, 110, 120, 130, 140, 150])
  })

  it('has nothing due at or after the end', () => {
    const { publisher } = setUp(0, 100)
    publisher.pumpFixedRate(5000, 0, 10, 100)
    assert.equal(publisher.sent, 10)
  })

  it('goes on after QoS 0 copies were given up', () => {
    const { ledger, publisher } = setUp(0, 4)
    publisher.pumpClosedLoop(1)
    publisher.forgive()
    assert.equal(publisher.idle, true)
    publisher.pumpClosedLoop(2)
    assert.equal(publisher.sent, 8)
    assert.equal(ledger.totals(8).lost, 8)
  })
})
