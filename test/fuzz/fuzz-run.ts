import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BrokerProcess } from '../durability/broker-process.ts'
import { RawClient } from '../support/raw-client.ts'
import { Bystanders } from './bystanders.ts'
import { fuzzConnection } from './fuzz-connection.ts'

const concurrency = 8
const settleDeadlineMs = 20_000
/** What a hostile client can leave behind for longer than its connection. */
const levels = [
  'grapevine_mqtt_connections',
  'grapevine_mqtt_sessions',
  'grapevine_routing_local_subscriptions',
  'grapevine_routing_local_filters',
]
/** Sessions of mutated client identifiers cannot be found again to be ended, so they end by themselves. */
const config = { sessions: { expiryIntervalMax: 2 }, queues: { sessionMessagesMax: 200 } }

/** A broker in a process of its own, with bystanders, and hostile clients by the seed. */
export class FuzzRun {
  readonly broker: BrokerProcess
  readonly #directory: string
  readonly #bystanders: Bystanders
  readonly #levels: readonly number[]
  readonly #underWay = new Set<number>()
  #lastSeeds: readonly number[] = []

  private constructor(directory: string, broker: BrokerProcess, bystanders: Bystanders, atRest: number[]) {
    this.#directory = directory
    this.broker = broker
    this.#bystanders = bystanders
    this.#levels = atRest
  }

  static async start(): Promise<FuzzRun> {
    const directory = await mkdtemp(join(tmpdir(), 'grapevine-fuzz-'))
    const broker = await BrokerProcess.start(directory, config)
    const bystanders = await Bystanders.start(broker.port)
    return new FuzzRun(directory, broker, bystanders, await levelsOf(broker))
  }

  async stop(): Promise<void> {
    this.#bystanders.stop()
    await this.broker.stop()
    await rm(this.#directory, { recursive: true, force: true })
  }

  /** Runs connections with the seeds from `first` on while `isGoingOn`; rejects, naming seeds, when the broker falls. */
  async fuzz(first: number, isGoingOn: (seed: number) => boolean): Promise<number> {
    let next = first
    const worker = async (): Promise<void> => {
      while (isGoingOn(next)) {
        const seed = next++
        this.#underWay.add(seed)
        await fuzzConnection(this.broker.port, seed)
        this.#underWay.delete(seed)
        this.#lastSeeds = [...this.#lastSeeds.slice(-2 * concurrency), seed]
        this.#assertRunning()
      }
    }
    await Promise.all(Array.from({ length: concurrency }, worker))
    return next - first
  }

  /** The bystanders go on, a new client is served, and nothing of the hostile clients is left. */
  async assertUnharmed(): Promise<void> {
    this.#assertRunning()
    try {
      await this.#bystanders.goOn()
      const newcomer = await RawClient.open(this.broker.port, 5)
      const { reasonCode } = await newcomer.connect({ clientId: 'newcomer' })
      assert.equal(reasonCode, 0)
      await newcomer.disconnect()
    } catch (error) {
      throw new Error(`${String(error)}\n${this.#told()}`, { cause: error })
    }
    await this.#settled()
  }

  async #settled(): Promise<void> {
    const deadline = performance.now() + settleDeadlineMs
    for (;;) {
      const now = await levelsOf(this.broker)
      if (now.every((level, i) => level === this.#levels[i])) return
      if (performance.now() > deadline)
        assert.deepEqual(now, this.#levels, `${levels.join(', ')}\n${this.#told()}`)
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  }

  #assertRunning(): void {
    assert(this.broker.isRunning && !this.broker.output.includes('unexpected error'), this.#told())
  }

  #told(): string {
    const seeds = [...this.#lastSeeds, ...this.#underWay].join(' ')
    return `one of the last seeds (${seeds}) did it:\n${this.broker.output}`
  }
}

async function levelsOf(broker: BrokerProcess): Promise<number[]> {
  const found: number[] = []
  for (const level of levels) found.push(await broker.metric(level))
  return found
}
