import { connectMany } from './connect-many.ts'
import { cpuSecondsOf, ownCpuSeconds } from './cpu-meter.ts'
import { SequenceLedger, SharedLedger, type Ledger } from './delivery-ledger.ts'
import {
  copiesOf,
  filterOf,
  topicOf,
  type FlowResult,
  type FlowSpec,
  type LoadTarget,
  type LoadTiming,
} from './flow-spec.ts'
import { LatencyRecorder } from './latency-recorder.ts'
import { BrokerFault, type LoadConnection } from './load-connection.ts'
import { PublishBatch } from './publish-batch.ts'
import { Publisher } from './publisher.ts'
import { createReceiveBuffer } from './receive-buffer.ts'
import { Subscriber } from './subscriber.ts'

/** One write of a publisher holds about this much, and at least one message. */
const batchBytes = 64 * 1024

/** Without any delivery for this long, QoS 0 copies are taken as lost and QoS ≥ 1 ends the run. */
const stallMs = { qos0: 1000, acknowledged: 10_000 }

/** Longest sleep of the closed loop when nothing is received. */
const sleepMs = 2

/** Longest wait for what is still under way when publishing has stopped. */
const drainMs = 15_000

/** Drives one stream of messages through a broker and measures it. One instance, one run. */
export class Flow {
  readonly #spec: FlowSpec
  readonly #target: LoadTarget
  readonly #timing: LoadTiming
  readonly #ledger: Ledger
  readonly #latency = new LatencyRecorder()
  readonly #receive = createReceiveBuffer()
  #publishers: Publisher[] = []
  #fault: BrokerFault | undefined
  #progressAt = 0
  #progress = 0
  #step: (() => void) | undefined
  #sleeping: NodeJS.Timeout | undefined

  constructor(spec: FlowSpec, target: LoadTarget, timing: LoadTiming) {
    this.#spec = spec
    this.#target = target
    this.#timing = timing
    this.#ledger =
      spec.shape === 'shared'
        ? new SharedLedger(spec.publishers)
        : new SequenceLedger(spec.publishers, spec.subscribers)
  }

  /** Throws `BrokerFault` when the broker refuses, disconnects or stalls. */
  async run(): Promise<FlowResult> {
    const { warmupMs, measureMs } = this.#timing
    const connections = await this.#connect()
    const start = performance.now()
    const from = start + warmupMs
    const to = from + measureMs
    this.#latency.measure(from, to)
    await this.#publishUntil(start, from, to)
    const before = this.#snapshot()
    await this.#publishUntil(start, to, to)
    const after = this.#snapshot()
    await this.#drain()
    const published = this.#sent()
    await Promise.all(connections.map(async connection => connection.close()))
    const seconds = after.seconds - before.seconds
    return {
      publishedPerSecond: (after.published - before.published) / seconds,
      deliveredPerSecond: (after.delivered - before.delivered) / seconds,
      published,
      ...this.#ledger.totals(published * copiesOf(this.#spec)),
      latency: this.#latency.summary(),
      brokerCores: (after.brokerCpu - before.brokerCpu) / seconds,
      loadCores: (after.loadCpu - before.loadCpu) / seconds,
      ...(this.#target.subscribers === undefined
        ? {}
        : { subscriberBrokerCores: (after.subscriberBrokerCpu - before.subscriberBrokerCpu) / seconds }),
    }
  }

  async #connect(): Promise<LoadConnection[]> {
    const { publishers, subscribers, qos, cleanSession, payloadBytes, window } = this.#spec
    const common = { ...this.#target, receive: this.#receive, payloadBytes, onFault: this.#onFault }
    const { port } = this.#target.subscribers ?? this.#target
    const subscribed = await connectMany(
      subscribers,
      index => ({ ...common, port, clientId: `bench-sub-${index}`, cleanSession }),
      async (connection, index) => connection.subscribe(filterOf(this.#spec, index), qos),
    )
    for (const [index, connection] of subscribed.entries()) {
      new Subscriber({ index, connection, ledger: this.#ledger, latency: this.#latency, wake: this.#wake })
    }
    const publishing = await connectMany(publishers, index => ({
      ...common,
      clientId: `bench-pub-${index}`,
      cleanSession: true,
    }))
    this.#publishers = publishing.map((connection, index) => {
      const options = { version: this.#target.version, topic: topicOf(this.#spec, index), qos, payloadBytes }
      const capacity = Math.max(1, Math.min(window, Math.floor(batchBytes / payloadBytes)))
      const batch = new PublishBatch({ ...options, publisher: index, capacity })
      return new Publisher({
        ...{ index, qos, connection, batch, window, wake: this.#wake },
        ledger: this.#ledger,
        copies: copiesOf(this.#spec),
      })
    })
    return [...subscribed, ...publishing]
  }

  readonly #onFault = (fault: BrokerFault): void => {
    this.#fault ??= fault
  }

  /** Publishes until the time `until`; a fixed rate counts from `start` and has nothing due from `end` on. */
  async #publishUntil(start: number, until: number, end: number): Promise<void> {
    const { ratePerSecond, publishers } = this.#spec
    const intervalMs = ratePerSecond === null ? 0 : (1000 * publishers) / ratePerSecond
    await this.#turns(now => {
      for (const [index, publisher] of this.#publishers.entries()) {
        if (ratePerSecond === null) publisher.pumpClosedLoop(now)
        else publisher.pumpFixedRate(now, start + (index * intervalMs) / publishers, intervalMs, end)
      }
      return now >= until
    })
  }

  /** Waits until nothing is under way any more; what a broker holds back for `stallMs` counts as lost. */
  async #drain(): Promise<void> {
    const deadline = performance.now() + drainMs
    await this.#turns(now => now > deadline || this.#publishers.every(publisher => publisher.idle))
  }

  /**
   * Calls `turn` once per turn of the event loop until it answers true. A fixed rate needs the exact time and spins;
   * the closed loop sleeps until something is received, because a spinning neighbour slows the broker's core down
   * where the two are hyperthreads of one.
   */
  async #turns(turn: (now: number) => boolean): Promise<void> {
    this.#progressAt = performance.now()
    await new Promise<void>((resolve, reject) => {
      const step = () => {
        this.#sleeping = undefined
        const now = performance.now()
        this.#watchProgress(now)
        if (this.#fault !== undefined) reject(this.#fault)
        else if (turn(now)) resolve()
        else if (this.#spec.ratePerSecond !== null) setImmediate(step)
        else this.#sleeping = setTimeout(step, sleepMs)
      }
      this.#step = step
      step()
    })
  }

  readonly #wake = (): void => {
    if (this.#sleeping === undefined || this.#step === undefined) return
    clearTimeout(this.#sleeping)
    this.#sleeping = undefined
    setImmediate(this.#step)
  }

  #watchProgress(now: number): void {
    const stalled = now - this.#progressAt
    if (this.#ledger.delivered !== this.#progress || this.#publishers.every(publisher => publisher.idle)) {
      this.#progress = this.#ledger.delivered
      this.#progressAt = now
    } else if (this.#spec.qos > 0 && stalled > stallMs.acknowledged) {
      this.#fault ??= new BrokerFault(`no delivery for ${stallMs.acknowledged} ms with messages under way`)
    } else if (this.#spec.qos === 0 && stalled > stallMs.qos0) {
      for (const publisher of this.#publishers) publisher.forgive()
      this.#progressAt = now
    }
  }

  #sent(): number {
    return this.#publishers.reduce((sum, publisher) => sum + publisher.sent, 0)
  }

  #snapshot() {
    return {
      seconds: performance.now() / 1000,
      published: this.#sent(),
      delivered: this.#ledger.delivered,
      brokerCpu: cpuSecondsOf(this.#target.pid),
      subscriberBrokerCpu: cpuSecondsOf(this.#target.subscribers?.pid ?? this.#target.pid),
      loadCpu: ownCpuSeconds(),
    }
  }
}
