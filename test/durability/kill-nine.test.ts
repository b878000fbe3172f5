import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SeededRandom } from '../../sim/ports/seeded-random.ts'
import { BrokerProcess } from './broker-process.ts'
import { deliveryViolations } from './delivery-checker.ts'
import { LoadPublisher } from './load-publisher.ts'
import { LoadSubscriber } from './load-subscriber.ts'

const deadlineMs = 30_000
const config = {
  storage: { sync: 'always' },
  queues: { sessionMessagesMax: 1_000_000 },
}

describe('kill -9 under load, with storage.sync always', () => {
  let directory: string
  let broker: BrokerProcess | undefined
  const publishers = [
    new LoadPublisher({ name: 'one', topic: 'load/one', qos: 1, version: 4 }),
    new LoadPublisher({ name: 'two', topic: 'load/two', qos: 2, version: 5 }),
  ]
  const subscriber = new LoadSubscriber('load/#')

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'grapevine-kill-'))
  })

  after(async () => {
    for (const client of [...publishers, subscriber]) client.drop()
    await broker?.stop()
    await rm(directory, { recursive: true, force: true })
  })

  it('loses nothing that was acknowledged, and doubles nothing at QoS 2', async function () {
    this.timeout(180_000)
    const rounds = Number(process.env['KILL_ROUNDS'] ?? 3)
    const seed = Number(process.env['KILL_SEED'] ?? Date.now() % 1_000_000)
    const random = new SeededRandom(seed)
    for (let round = 0; round < rounds; round++) {
      broker = await BrokerProcess.start(directory, config)
      await subscriber.connect(broker.port)
      for (const publisher of publishers) void publisher.connect(broker.port)
      await loadAndKill(broker, random)
    }
    broker = await BrokerProcess.start(directory, config)
    const { port } = broker
    for (const publisher of publishers) void publisher.connect(port)
    await within('the acknowledgements', Promise.all(publishers.map(publisher => publisher.finish())))
    await within('the connection of the subscriber', subscriber.connect(port))
    const histories = publishers.map(({ history }) => history)
    const expected = histories.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0)
    await within(
      'the last deliveries',
      subscriber.until(() => subscriber.isSettled && new Set(subscriber.deliveries).size >= expected),
    ).catch(() => {
      // The violations say what is missing.
    })
    const violations = [
      ...publishers.flatMap(publisher => publisher.violations),
      ...subscriber.violations,
      ...deliveryViolations(histories, subscriber.deliveries),
    ]
    const told = `seed ${seed}, ${violations.length} violations:\n${violations.slice(0, 20).join('\n')}`
    assert.equal(violations.length, 0, told)
    for (const { publisher, sent } of histories) assert(sent > rounds * 16, `${publisher} sent only ${sent}`)
  })

  /** The subscriber is offline half of the time; the end comes at a random moment, in either state. */
  async function loadAndKill(running: BrokerProcess, random: SeededRandom): Promise<void> {
    const between = (from: number, to: number): number => from + random.fraction() * (to - from)
    const killed = new Promise(resolve => setTimeout(resolve, between(300, 1200))).then(() => running.kill())
    let isOnline = true
    while (running.isRunning) {
      await new Promise(resolve => setTimeout(resolve, between(20, 150)))
      isOnline = !isOnline
      if (!isOnline) subscriber.drop()
      else if (running.isRunning) await subscriber.connect(running.port)
    }
    await killed
    for (const client of [...publishers, subscriber]) client.drop()
  }
})

async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${deadlineMs} ms for ${what}`)), deadlineMs)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}
