import { connectMany } from './connect-many.ts'
import type { LoadTiming } from './flow-spec.ts'
import { LatencyRecorder } from './latency-recorder.ts'
import { BrokerFault, type LoadConnection, type LoadReceiver } from './load-connection.ts'
import { PublishBatch } from './publish-batch.ts'
import { createReceiveBuffer } from './receive-buffer.ts'
import type { SpreadResult, SpreadSpec, SpreadTarget } from './spread-spec.ts'

const payloadBytes = 64

/** What has not come this long after the last probe was never sent. */
const patienceMs = 2000

/** Every so many changes one has a wildcard. */
const wildcardEvery = 4

/** Subscribes at the brokers in turn and publishes at all others. One instance, one run; its clients stay until `close`. */
export class Spread {
  readonly #spec: SpreadSpec
  readonly #target: SpreadTarget
  readonly #timing: LoadTiming
  readonly #latency = new LatencyRecorder()
  readonly #receive = createReceiveBuffer()
  readonly #probes: { sent: number; missed: number }[]
  /** Probes that have not arrived, `change × places + place` → brokers at which they were published. */
  readonly #awaited = new Map<number, Set<number>>()
  readonly #laterProbes: Promise<void>[] = []
  #subscribers: LoadConnection[] = []
  #publishers: LoadConnection[] = []
  #refused = 0
  #fault: BrokerFault | undefined

  constructor(spec: SpreadSpec, target: SpreadTarget, timing: LoadTiming) {
    this.#spec = spec
    this.#target = target
    this.#timing = timing
    this.#probes = spec.probesAfterMs.map(() => ({ sent: 0, missed: 0 }))
  }

  /** Throws `BrokerFault` when a broker refuses a client or disconnects one. */
  async run(): Promise<SpreadResult> {
    const { changesPerSecond, probesAfterMs } = this.#spec
    const { warmupMs, measureMs } = this.#timing
    this.#subscribers = await this.#connect('sub')
    this.#publishers = await this.#connect('pub')
    for (const connection of this.#subscribers) connection.receiver = this.#receiver
    const start = performance.now()
    const from = start + warmupMs
    const to = from + measureMs
    this.#latency.measure(from, to)
    const changes: Promise<void>[] = []
    const queues = this.#subscribers.map(() => Promise.resolve())
    for (let dueMs = start; dueMs < to; dueMs += 1000 / changesPerSecond) {
      await until(dueMs)
      if (this.#fault !== undefined) throw this.#fault
      const change = changes.length
      const broker = change % queues.length
      // One SUBSCRIBE after the other on each connection; late ones count from when they were due.
      const done = (queues[broker] ?? Promise.resolve()).then(() => this.#change(change, broker, dueMs))
      queues[broker] = done
      changes.push(done)
    }
    await Promise.all(changes)
    await Promise.all(this.#laterProbes)
    await this.#everythingOrPatience()
    for (const [number, brokers] of this.#awaited) {
      const place = this.#probes[number % probesAfterMs.length]
      if (place !== undefined) place.missed += brokers.size
    }
    return {
      changes: changes.length,
      refused: this.#refused,
      suback: this.#latency.summary(),
      probes: this.#probes,
    }
  }

  /** Ends the clients, and so their subscriptions, all at once. */
  async close(): Promise<void> {
    const connections = [...this.#subscribers, ...this.#publishers]
    await Promise.all(connections.map(connection => connection.close()))
  }

  async #connect(role: 'sub' | 'pub'): Promise<LoadConnection[]> {
    const { ports } = this.#target
    return await connectMany(ports.length, index => ({
      ...{ port: ports[index] ?? 0, version: 5, receive: this.#receive, payloadBytes },
      clientId: `${this.#spec.prefix}-${role}-${index}`,
      cleanSession: true,
      onFault: fault => {
        this.#fault ??= fault
      },
    }))
  }

  async #change(change: number, broker: number, dueMs: number): Promise<void> {
    const { prefix, barrier, probesAfterMs } = this.#spec
    const hasWildcard = change % wildcardEvery === wildcardEvery - 1
    const topic = `bench/${prefix}/${change}${hasWildcard ? '/x' : ''}`
    const filter = hasWildcard ? `bench/${prefix}/${change}/+` : topic
    try {
      await this.#subscribers[broker]?.subscribe(filter, 0, barrier)
    } catch (error) {
      if (!(error instanceof BrokerFault)) throw error
      this.#refused++
      return
    }
    this.#latency.chunkStart(performance.now())
    this.#latency.record(dueMs)
    this.#latency.chunkEnd()
    for (const [place, afterMs] of probesAfterMs.entries()) {
      const number = change * probesAfterMs.length + place
      if (afterMs === 0) this.#probe(number, place, topic, broker)
      else
        this.#laterProbes.push(
          until(performance.now() + afterMs).then(() => this.#probe(number, place, topic, broker)),
        )
    }
  }

  /** One message at each broker but the subscriber's. */
  #probe(number: number, place: number, topic: string, subscribersBroker: number): void {
    const awaited = new Set<number>()
    this.#awaited.set(number, awaited)
    for (const [broker, connection] of this.#publishers.entries()) {
      if (broker === subscribersBroker) continue
      awaited.add(broker)
      const options = { version: 5, topic, qos: 0, payloadBytes, publisher: broker, capacity: 1 } as const
      connection.write(new PublishBatch(options).fill(1, number, performance.now(), 0))
    }
    const probes = this.#probes[place]
    if (probes !== undefined) probes.sent += awaited.size
  }

  readonly #receiver: LoadReceiver = {
    onPublish: (_qos, _packetId, broker, number) => {
      const awaited = this.#awaited.get(number)
      awaited?.delete(broker)
      if (awaited?.size === 0) this.#awaited.delete(number)
    },
    onAcknowledgement: () => {},
    onChunkStart: () => {},
    onChunkEnd: () => {},
  }

  async #everythingOrPatience(): Promise<void> {
    const deadline = performance.now() + patienceMs
    while (this.#awaited.size > 0 && performance.now() < deadline) await until(performance.now() + 20)
    if (this.#fault !== undefined) throw this.#fault
  }
}

async function until(atMs: number): Promise<void> {
  const waitMs = atMs - performance.now()
  if (waitMs > 0) await new Promise(resolve => setTimeout(resolve, waitMs))
}
