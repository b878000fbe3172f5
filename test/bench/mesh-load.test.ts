import assert from 'node:assert/strict'
import { Spread } from '../../bench/load/spread.ts'
import type { SpreadSpec } from '../../bench/load/spread-spec.ts'
import { Takeover } from '../../bench/load/takeover.ts'
import { startBroker, type TestBroker } from '../support/broker.ts'

const timing = { warmupMs: 0, measureMs: 300 }
const spec: SpreadSpec = {
  ...{ prefix: 'test', barrier: 'all', changesPerSecond: 20, probesAfterMs: [0, 10] },
}

// Real brokers: a run waits for their answers, and for messages that never come.
describe('the load of the mesh scenarios', function () {
  this.timeout(30_000)
  const brokers: TestBroker[] = []

  before(async () => {
    brokers.push(await startBroker(), await startBroker())
  })

  after(async () => {
    await Promise.all(brokers.map(broker => broker.stop()))
  })

  function portsOf(...numbers: number[]): number[] {
    return numbers.map(number => brokers[number]?.port ?? assert.fail())
  }

  it('sees every message where each broker knows every subscription', async () => {
    // One broker under three names knows them all at once.
    const result = await new Spread(spec, { ports: portsOf(0, 0, 0) }, timing).run()
    assert.equal(result.refused, 0)
    assert.ok(result.suback.count > 0)
    const sent = result.changes * 2
    assert.deepEqual(result.probes, [
      { sent, missed: 0 },
      { sent, missed: 0 },
    ])
  })

  it('counts every message that a broker does not know a subscriber for', async () => {
    // The two are strangers: what is published at one never reaches the other's clients.
    const result = await new Spread({ ...spec, prefix: 'apart' }, { ports: portsOf(0, 1) }, timing).run()
    const sent = result.changes
    assert.deepEqual(result.probes, [
      { sent, missed: sent },
      { sent, missed: sent },
    ])
  })

  it('takes sessions over with their queues, and reads these to their end', async () => {
    const takeovers = { sessions: 3, queued: 150, payloadBytes: 64, pauseMs: 1 }
    const [port = 0] = portsOf(0)
    const result = await new Takeover(takeovers, { ports: [port, port], version: 4 }, timing).run()
    assert.ok(result.latency.count > 0)
    assert.deepEqual([result.delivered, result.lost], [450, 0])
  })

  it('refuses a figure when a session does not come along', async () => {
    const [first = 0, second = 0] = portsOf(0, 1)
    const takeovers = { sessions: 1, queued: 1, payloadBytes: 64, pauseMs: 1 }
    await assert.rejects(
      new Takeover(takeovers, { ports: [first, second], version: 4 }, timing).run(),
      /session 0 was lost: Session Present is 0/,
    )
  })
})
