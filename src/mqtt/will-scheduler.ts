import type { ClientId } from '../core/ids.ts'
import type { Timer } from '../core/ports/clock.ts'
import type { Acceptance } from '../core/ports/routing.ts'
import type { MqttServices } from './mqtt-services.ts'
import type { Will } from './will.ts'

/** Nobody waits for a will to be accepted. */
const nobody: Acceptance = { expect() {}, settle() {}, requireCommitted() {} }

type WillServices = Pick<MqttServices, 'clock' | 'router' | 'stats' | 'retained' | 'options' | 'journal'>

/**
 * Publishes the wills of this node's clients: at once, or after their delay unless the client returns
 * (MQTT 5 section 3.1.3.2.2). Each pending will fires once or is cancelled.
 */
export class WillScheduler {
  readonly #services: WillServices
  readonly #pending = new Map<ClientId, { readonly will: Will; readonly timer: Timer }>()

  constructor(services: WillServices) {
    this.#services = services
  }

  /** The client went without DISCONNECT: due at min(will delay, session expiry). */
  connectionLost(clientId: ClientId, will: Will, sessionExpirySeconds: number): void {
    const delaySeconds = Math.min(will.delaySeconds, sessionExpirySeconds)
    if (delaySeconds === 0) {
      this.#publish(will)
      return
    }
    this.cancel(clientId)
    const timer = this.#services.clock.schedule(delaySeconds * 1000, () => this.sessionEnded(clientId))
    this.#pending.set(clientId, { will, timer })
  }

  isPending(clientId: ClientId): boolean {
    return this.#pending.has(clientId)
  }

  /** The client is back. */
  cancel(clientId: ClientId): void {
    this.#pending.get(clientId)?.timer.cancel()
    this.#pending.delete(clientId)
  }

  /** The delay is over, or there is nothing to come back to: publishes what is pending [MQTT-3.1.2-8]. */
  sessionEnded(clientId: ClientId): void {
    const pending = this.#pending.get(clientId)
    if (pending === undefined) return
    this.cancel(clientId)
    this.#publish(pending.will)
    this.#services.journal.deleteWill(clientId)
  }

  stop(): void {
    for (const clientId of [...this.#pending.keys()]) this.cancel(clientId)
  }

  #publish(will: Will): void {
    this.#services.stats.willsPublished++
    const { publication, messageExpirySeconds } = will
    const expiresAtMs =
      messageExpirySeconds === undefined
        ? undefined
        : this.#services.clock.wallNow() + messageExpirySeconds * 1000
    const message = { ...publication, expiresAtMs }
    if (message.retain && this.#services.options.retainAvailable) this.#services.retained.publish(message) // [MQTT-3.1.2-15]
    this.#services.router.publish(message, message.qos === 0 ? undefined : nobody)
  }
}
