import type { Ledger } from './delivery-ledger.ts'
import type { LatencyRecorder } from './latency-recorder.ts'
import type { LoadConnection, LoadReceiver } from './load-connection.ts'
import { acknowledgementHead, packetType, writeAcknowledgement } from './mqtt-packets.ts'

export interface SubscriberInit {
  index: number
  connection: LoadConnection
  ledger: Ledger
  latency: LatencyRecorder
  /** Called when something was received and a publisher's window may have room. */
  wake: () => void
}

/** Acknowledgements are written together when a chunk has been read; a chunk brings no more than this many. */
const acknowledgementsPerWrite = 8192

/** One subscribing client: accounts for each message, and acknowledges what came in one read with one write. */
export class Subscriber implements LoadReceiver {
  readonly #init: SubscriberInit
  /** Pairs of acknowledgement head and packet identifier. */
  #owed: number[] = []

  constructor(init: SubscriberInit) {
    this.#init = init
    init.connection.receiver = this
  }

  onChunkStart(): void {
    this.#init.latency.chunkStart(performance.now())
  }

  onPublish(qos: number, packetId: number, publisher: number, sequence: number, sentAt: number): void {
    this.#init.latency.record(sentAt)
    this.#init.ledger.deliver(this.#init.index, publisher, sequence)
    if (qos > 0) this.#owe(qos === 1 ? acknowledgementHead.puback : acknowledgementHead.pubrec, packetId)
  }

  onAcknowledgement(type: number, packetId: number): void {
    if (type === packetType.pubrel) this.#owe(acknowledgementHead.pubcomp, packetId)
  }

  onChunkEnd(): void {
    this.#init.latency.chunkEnd()
    this.#init.wake()
    if (this.#owed.length > 0) this.#pay()
  }

  #owe(head: number, packetId: number): void {
    this.#owed.push(head, packetId)
    if (this.#owed.length >= 2 * acknowledgementsPerWrite) this.#pay()
  }

  #pay(): void {
    const bytes = Buffer.allocUnsafe(this.#owed.length * 2)
    for (let i = 0, at = 0; i < this.#owed.length; i += 2) {
      at = writeAcknowledgement(bytes, at, this.#owed[i] ?? 0, this.#owed[i + 1] ?? 0)
    }
    this.#owed.length = 0
    this.#init.connection.write(bytes)
  }
}
