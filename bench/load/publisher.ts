import type { Ledger } from './delivery-ledger.ts'
import type { LoadConnection, LoadReceiver } from './load-connection.ts'
import { acknowledgementHead, packetType, writeAcknowledgement } from './mqtt-packets.ts'
import type { PublishBatch } from './publish-batch.ts'

export interface PublisherInit {
  index: number
  qos: 0 | 1 | 2
  connection: LoadConnection
  batch: PublishBatch
  ledger: Ledger
  /** Copies that each message calls for. */
  copies: number
  /** Messages that may be unacknowledged, and messages whose deliveries may be awaited. */
  window: number
  /** Called when something was received and the window may have room. */
  wake: () => void
}

/**
 * One publishing client. In the closed loop it sends whenever its window is a quarter free, so that batches stay
 * batches; at a fixed rate it sends what is due and stamps the time at which it was due, so that a broker that
 * stalls is charged with the wait of every message it held up (no coordinated omission).
 */
export class Publisher implements LoadReceiver {
  readonly #init: PublisherInit
  readonly #quantum: number
  #sent = 0
  #completed = 0
  #forgiven = 0
  #releases: number[] = []

  constructor(init: PublisherInit) {
    this.#init = init
    this.#quantum = Math.max(1, Math.min(init.window >> 2, init.batch.capacity))
    init.connection.receiver = this
  }

  get sent(): number {
    return this.#sent
  }

  /** Nothing is unacknowledged, and every copy has come or is known to be lost. */
  get idle(): boolean {
    return this.#unacknowledged === 0 && this.#awaited <= 0
  }

  /** Sends as much as the window allows. */
  pumpClosedLoop(now: number): void {
    const { connection, window, batch } = this.#init
    if (connection.blocked) return
    const free = window - Math.max(this.#unacknowledged, this.#awaited)
    if (free < this.#quantum) return
    this.#send(Math.min(free, batch.capacity), now, 0)
  }

  /** Sends what has become due: message n is due at `start + n * intervalMs`, none at or after `end`. */
  pumpFixedRate(now: number, start: number, intervalMs: number, end: number): void {
    if (this.#init.connection.blocked) return
    // The small amount keeps a rounding error from making one message more due at the very end.
    const due = Math.ceil((Math.min(now, end) - start) / intervalMs - 1e-6) - this.#sent
    if (due <= 0) return
    const intended = start + this.#sent * intervalMs
    this.#send(Math.min(due, this.#init.batch.capacity), intended, intervalMs)
  }

  /** QoS 0 copies that did not come in a long time are taken as lost, so that the loop goes on. */
  forgive(): void {
    if (this.#awaited > 0) this.#forgiven += this.#awaited
  }

  onChunkStart(): void {
    this.#releases.length = 0
  }

  onPublish(): void {
    throw new Error('the broker sent a PUBLISH to a client without subscriptions')
  }

  onAcknowledgement(type: number, packetId: number): void {
    if (type === packetType.pubrec) this.#releases.push(packetId)
    else this.#completed++
  }

  onChunkEnd(): void {
    this.#init.wake()
    if (this.#releases.length === 0) return
    const bytes = Buffer.allocUnsafe(this.#releases.length * 4)
    let at = 0
    for (const packetId of this.#releases)
      at = writeAcknowledgement(bytes, at, acknowledgementHead.pubrel, packetId)
    this.#init.connection.write(bytes)
  }

  get #unacknowledged(): number {
    return this.#init.qos === 0 ? 0 : this.#sent - this.#completed
  }

  /** Messages whose copies are still awaited; a fraction when some subscribers have theirs. */
  get #awaited(): number {
    const { ledger, index, copies } = this.#init
    return copies === 0 ? 0 : this.#sent - ledger.settled(index) / copies - this.#forgiven
  }

  #send(count: number, sentAt: number, step: number): void {
    const whole = Math.floor(count)
    this.#init.connection.write(this.#init.batch.fill(whole, this.#sent, sentAt, step))
    this.#sent += whole
  }
}
