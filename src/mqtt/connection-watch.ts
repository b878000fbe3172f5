/** Gives up connections of which nothing is heard: silent ones, and while the node is suspended those it does not read. */
import { limits } from '../core/limits.ts'
import type { Timer } from '../core/ports/clock.ts'
import type { ClientConnection } from './client-connection.ts'
import type { MqttServices } from './mqtt-services.ts'
import { reason } from './reason-codes.ts'

export class ConnectionWatch {
  readonly #services: Pick<MqttServices, 'clock' | 'options'>
  readonly #connections: ReadonlySet<ClientConnection>
  #suspensionTimer: Timer | undefined

  constructor(services: Pick<MqttServices, 'clock' | 'options'>, connections: ReadonlySet<ClientConnection>) {
    this.#services = services
    this.#connections = connections
  }

  checkSilence(): void {
    const nowMs = this.#services.clock.now()
    for (const connection of this.#connections) this.#check(connection, nowMs)
  }

  /** Connections whose traffic is held are given up after `suspendHoldMs`. */
  setSuspended(isSuspended: boolean): void {
    this.stop()
    if (!isSuspended) return
    const { clock, options } = this.#services
    this.#suspensionTimer = clock.schedule(options.suspendHoldMs, () => {
      for (const connection of [...this.#connections]) {
        if (!connection.isReading) connection.disconnect(reason.serverBusy, 'the node is suspended')
      }
    })
  }

  stop(): void {
    this.#suspensionTimer?.cancel()
    this.#suspensionTimer = undefined
  }

  #check(connection: ClientConnection, nowMs: number): void {
    if (connection.state === 'connected') {
      const { silenceMaxMs } = connection
      if (silenceMaxMs > 0 && connection.isReading && nowMs - connection.lastReceivedAtMs > silenceMaxMs) {
        connection.disconnect(reason.keepAliveTimeout, 'keep alive timeout')
      }
    } else if (nowMs - connection.openedAtMs > limits.connectTimeoutMs) {
      connection.abort('no complete CONNECT in time')
    }
  }
}
