import { BrokerFault, type LoadConnection, type LoadReceiver } from './load-connection.ts'

const acknowledgementTimeoutMs = 15_000

/** Counts the PUBACKs of a connection that only publishes. */
export class AcknowledgementCounter implements LoadReceiver {
  #count = 0
  #target = Number.POSITIVE_INFINITY
  #reached = () => {}

  constructor(connection: LoadConnection) {
    connection.receiver = this
  }

  /** Waits for `count` more. Throws what `fault` answers, and `BrokerFault` when none comes for long. */
  async next(count: number, fault: () => BrokerFault | undefined): Promise<void> {
    this.#target = count
    await new Promise<void>((resolve, reject) => {
      const deadline = performance.now() + acknowledgementTimeoutMs
      const timer = setInterval(() => {
        const found =
          performance.now() > deadline ? new BrokerFault('publishes are not acknowledged') : fault()
        if (found === undefined) return
        clearInterval(timer)
        reject(found)
      }, 100)
      this.#reached = () => {
        clearInterval(timer)
        resolve()
      }
    })
    this.#count -= count
  }

  onChunkStart(): void {
    // Nothing is timed here.
  }

  onPublish(): void {
    throw new Error('the broker sent a PUBLISH to a client without subscriptions')
  }

  onAcknowledgement(): void {
    this.#count++
  }

  onChunkEnd(): void {
    if (this.#count >= this.#target) this.#reached()
  }
}
