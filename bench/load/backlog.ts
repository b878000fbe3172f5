import { AcknowledgementCounter } from './acknowledgement-counter.ts'
import { connectMany } from './connect-many.ts'
import { SequenceLedger } from './delivery-ledger.ts'
import type { LoadTarget } from './flow-spec.ts'
import { LatencyRecorder } from './latency-recorder.ts'
import type { BrokerFault } from './load-connection.ts'
import { LoadConnection, type LoadConnectionOptions } from './load-connection.ts'
import { disconnectPacket, encodeSubscribe } from './mqtt-packets.ts'
import { PublishBatch } from './publish-batch.ts'
import { createReceiveBuffer } from './receive-buffer.ts'
import { Subscriber } from './subscriber.ts'

/**
 * Messages that the broker has before the subscribers are there. `queue`: persistent sessions at QoS 1, offline while
 * `messages` are published to each; measured from the reconnect to the last message · `retained`: `messages` retained
 * topics; measured from SUBSCRIBE of a wildcard over all, by each subscriber, to the last message.
 */
export interface BacklogSpec {
  kind: 'queue' | 'retained'
  subscribers: number
  messages: number
  payloadBytes: number
}

export interface BacklogResult {
  deliveredPerSecond: number
  delivered: number
  lost: number
  duplicated: number
}

/** Publishes under way at once while the backlog is built up. */
const window = 100

/** Without any message for this long, what is missing counts as lost. */
const patienceMs = 3000

/** Builds the backlog, fetches it and counts. Throws `BrokerFault` when the broker refuses or disconnects. */
export async function runBacklog(spec: BacklogSpec, target: LoadTarget): Promise<BacklogResult> {
  return await new Backlog(spec, target).run()
}

class Backlog {
  readonly #spec: BacklogSpec
  readonly #target: LoadTarget
  readonly #receive = createReceiveBuffer()
  readonly #ledger: SequenceLedger
  #fault: BrokerFault | undefined
  #lastAt = 0

  constructor(spec: BacklogSpec, target: LoadTarget) {
    this.#spec = spec
    this.#target = target
    const streams = spec.kind === 'queue' ? spec.subscribers : spec.messages
    this.#ledger = new SequenceLedger(streams, spec.subscribers)
  }

  async run(): Promise<BacklogResult> {
    const { subscribers, messages } = this.#spec
    if (this.#spec.kind === 'queue') {
      const subscribed = await connectMany(
        subscribers,
        index => this.#client(index),
        async (connection, index) => connection.subscribe(this.#filter(index), 1),
      )
      await Promise.all(subscribed.map(async connection => connection.close(disconnectPacket)))
    }
    await this.#publish()
    const start = performance.now()
    const connections = Array.from({ length: subscribers }, (_, index) => this.#fetch(index))
    await this.#everythingOrSilence(subscribers * messages)
    await Promise.all(connections.map(async connection => connection.close()))
    const seconds = (this.#lastAt - start) / 1000
    return {
      deliveredPerSecond: this.#ledger.delivered / seconds,
      ...this.#ledger.totals(subscribers * messages),
    }
  }

  #client(index: number): LoadConnectionOptions {
    return {
      ...this.#target,
      clientId: `bench-sub-${index}`,
      cleanSession: this.#spec.kind === 'retained',
      receive: this.#receive,
      payloadBytes: this.#spec.payloadBytes,
      onFault: fault => {
        this.#fault ??= fault
      },
    }
  }

  #filter(index: number): string {
    return this.#spec.kind === 'queue' ? `bench/queue/${index}` : 'bench/retained/+'
  }

  /** The first stored messages may come in one read with CONNACK, so the receiver is there before. */
  #fetch(index: number): LoadConnection {
    const connection = LoadConnection.start(this.#client(index))
    const onReceived = () => {
      this.#lastAt = performance.now()
    }
    new Subscriber({
      index,
      connection,
      ledger: this.#ledger,
      latency: new LatencyRecorder(),
      wake: onReceived,
    })
    if (this.#spec.kind === 'retained') {
      connection.write(encodeSubscribe(this.#target.version, this.#filter(index), 1))
    }
    return connection
  }

  async #everythingOrSilence(awaited: number): Promise<void> {
    this.#lastAt = performance.now()
    while (this.#ledger.delivered < awaited && performance.now() - this.#lastAt < patienceMs) {
      if (this.#fault !== undefined) throw this.#fault
      await nextCheck(5)
    }
  }

  /** Publishes the backlog at QoS 1, a window at a time, each acknowledged before the next. */
  async #publish(): Promise<void> {
    const { kind, subscribers, messages, payloadBytes } = this.#spec
    const connection = await LoadConnection.open({
      ...this.#client(0),
      clientId: 'bench-pub',
      cleanSession: true,
    })
    const acknowledgements = new AcknowledgementCounter(connection)
    const { version } = this.#target
    const common = { version, qos: 1, payloadBytes } as const
    const flush = async (packets: Uint8Array[]) => {
      for (const packet of packets) connection.write(packet)
      await acknowledgements.next(packets.length, () => this.#fault)
    }
    for (let stream = 0; stream < (kind === 'queue' ? subscribers : 1); stream++) {
      let packets: Uint8Array[] = []
      for (let message = 0; message < messages; message++) {
        const addressed =
          kind === 'queue'
            ? { topic: `bench/queue/${stream}`, publisher: stream }
            : { topic: `bench/retained/${message}`, publisher: message, retain: true }
        packets.push(new PublishBatch({ ...common, ...addressed, capacity: 1 }).fill(1, message, 0, 0))
        if (packets.length < window && message < messages - 1) continue
        await flush(packets)
        packets = []
      }
    }
    await connection.close(disconnectPacket)
  }
}

async function nextCheck(ms: number): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, ms))
}
