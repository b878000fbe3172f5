import { AcknowledgementCounter } from './acknowledgement-counter.ts'
import { forEachConcurrently } from './connect-many.ts'
import { SequenceLedger } from './delivery-ledger.ts'
import type { LoadTiming } from './flow-spec.ts'
import { LatencyRecorder } from './latency-recorder.ts'
import { BrokerFault, LoadConnection, type LoadConnectionOptions } from './load-connection.ts'
import { disconnectPacket } from './mqtt-packets.ts'
import { PublishBatch } from './publish-batch.ts'
import { createReceiveBuffer } from './receive-buffer.ts'
import { Subscriber } from './subscriber.ts'
import type { TakeoverResult, TakeoverSpec, TakeoverTarget } from './takeover-spec.ts'

/** Publishes under way at once while the queues are filled. */
const window = 100

/** Without any message for this long, what is missing counts as lost. */
const patienceMs = 5000

/** Lets sessions with queued messages move to and fro, one at a time. One instance, one run. */
export class Takeover {
  readonly #spec: TakeoverSpec
  readonly #target: TakeoverTarget
  readonly #timing: LoadTiming
  readonly #latency = new LatencyRecorder()
  readonly #receive = createReceiveBuffer()
  /** By session: which broker has it, and the connection there. */
  readonly #places: { broker: 0 | 1; connection: LoadConnection }[] = []
  #fault: BrokerFault | undefined

  constructor(spec: TakeoverSpec, target: TakeoverTarget, timing: LoadTiming) {
    this.#spec = spec
    this.#target = target
    this.#timing = timing
  }

  /** Throws `BrokerFault` when a broker refuses a client or has no session for it. */
  async run(): Promise<TakeoverResult> {
    const { sessions, pauseMs } = this.#spec
    const { warmupMs, measureMs } = this.#timing
    await this.#fill()
    await forEachConcurrently(sessions, async session => {
      this.#places[session] = { broker: 0, connection: await this.#open(session, 0) }
    })
    const from = performance.now() + warmupMs
    this.#latency.measure(from, from + measureMs)
    for (let session = 0; performance.now() < from + measureMs; session = (session + 1) % sessions) {
      await this.#move(session)
      await pause(pauseMs)
    }
    return { latency: this.#latency.summary(), ...(await this.#fetch()) }
  }

  async #move(session: number): Promise<void> {
    const place = this.#places[session]
    if (place === undefined) throw new Error(`session ${session} is nowhere`)
    const broker = place.broker === 0 ? 1 : 0
    const sentAt = performance.now()
    const connection = await this.#open(session, broker)
    this.#latency.chunkStart(performance.now())
    this.#latency.record(sentAt)
    this.#latency.chunkEnd()
    if (!connection.isSessionPresent)
      throw new BrokerFault(`session ${session} was lost: Session Present is 0`)
    this.#places[session] = { broker, connection }
    await place.connection.close()
  }

  async #open(session: number, broker: 0 | 1): Promise<LoadConnection> {
    return await LoadConnection.open(this.#client(session, broker))
  }

  /** A connection that ends is one that was taken over; what else ends it shows at the next takeover. */
  #client(session: number, broker: 0 | 1): LoadConnectionOptions {
    const { ports, version } = this.#target
    const { payloadBytes } = this.#spec
    return {
      ...{ port: ports[broker], version, receive: this.#receive, payloadBytes },
      clientId: `bench-moving-${session}`,
      cleanSession: false,
      onFault: () => {},
    }
  }

  /** Makes the sessions at the first broker, and fills their queues. */
  async #fill(): Promise<void> {
    const { sessions, queued, payloadBytes } = this.#spec
    await forEachConcurrently(sessions, async session => {
      const connection = await this.#open(session, 0)
      await connection.subscribe(topicOf(session), 1)
      await connection.close(disconnectPacket)
    })
    const connection = await LoadConnection.open({
      ...this.#client(0, 0),
      clientId: 'bench-pub',
      cleanSession: true,
      onFault: fault => {
        this.#fault ??= fault
      },
    })
    const acknowledgements = new AcknowledgementCounter(connection)
    const { version } = this.#target
    for (let session = 0; session < sessions; session++) {
      const topic = topicOf(session)
      const options = { version, topic, qos: 1, payloadBytes, publisher: session, capacity: window } as const
      const batch = new PublishBatch(options)
      for (let sequence = 0; sequence < queued; sequence += window) {
        const count = Math.min(window, queued - sequence)
        connection.write(batch.fill(count, sequence, 0, 0))
        await acknowledgements.next(count, () => this.#fault)
      }
    }
    await connection.close(disconnectPacket)
  }

  /** Takes every session over once more and reads it to its end: nothing may be missing. */
  async #fetch(): Promise<{ delivered: number; lost: number }> {
    const { sessions, queued } = this.#spec
    const ledger = new SequenceLedger(sessions, 1)
    let lastAt = performance.now()
    const connections = this.#places.map(({ broker }, session) => {
      const connection = LoadConnection.start(this.#client(session, broker === 0 ? 1 : 0))
      const wake = (): void => {
        lastAt = performance.now()
      }
      new Subscriber({ index: 0, connection, ledger, latency: new LatencyRecorder(), wake })
      return connection
    })
    while (ledger.delivered < sessions * queued && performance.now() - lastAt < patienceMs) await pause(5)
    const before = this.#places.map(({ connection }) => connection)
    await Promise.all([...connections, ...before].map(connection => connection.close()))
    const { delivered, lost } = ledger.totals(sessions * queued)
    return { delivered, lost }
  }
}

function topicOf(session: number): string {
  return `bench/takeover/${session}`
}

async function pause(ms: number): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, ms))
}
