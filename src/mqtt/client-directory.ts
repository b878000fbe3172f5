/**
 * What the operator's side may see of, and do to, the clients of this node: look sessions up, list them, send clients away.
 *
 * It changes no session itself: it closes connections, and what follows from that is the registry's business. Invariant: a
 * client is only sent away once its connection is established, so that it is told so in the terms of its version.
 */
import type { ClientId } from '../core/ids.ts'
import type { LocalSession } from '../core/ports/node-control.ts'
import type { MqttOptions } from './mqtt-services.ts'
import { reason } from './reason-codes.ts'
import type { SessionRegistry } from './session-registry.ts'

/** As much of a session as it takes to decide whether it matters. */
export interface HeldSession {
  readonly clientId: ClientId
  readonly isConnected: boolean
}

export class ClientDirectory {
  readonly #registry: SessionRegistry
  readonly #options: Pick<MqttOptions, 'serverReference' | 'serverMoved'>

  constructor(registry: SessionRegistry, options: Pick<MqttOptions, 'serverReference' | 'serverMoved'>) {
    this.#registry = registry
    this.#options = options
  }

  get connectionCount(): number {
    return this.#registry.connectionCount
  }

  get sessionCount(): number {
    return this.#registry.sessionCount
  }

  get isExpecting(): boolean {
    return this.#registry.isExpecting
  }

  /** Messages of ended sessions that other members of their shared subscriptions do not have yet. */
  get estateCount(): number {
    return this.#registry.estates.count
  }

  /** Every session held here. May be kept and continued later: those added meanwhile come last, those gone are left out. */
  held(): Iterator<HeldSession, unknown> {
    return this.#registry.sessions.values()
  }

  holds(clientId: ClientId): boolean {
    return this.#registry.sessions.has(clientId)
  }

  describe(clientId: ClientId): LocalSession | undefined {
    const session = this.#registry.sessions.get(clientId)
    if (session === undefined) return undefined
    return {
      clientId,
      connected: session.isConnected,
      remote: session.client?.remote,
      subscriptions: session.subscriptions.size,
      queued: session.queuedCount,
      inflight: session.inflightCount,
      expiryIntervalSeconds: session.expiryIntervalSeconds,
      disconnectedAtMs: session.isConnected ? undefined : session.disconnectedAtMs,
    }
  }

  /** While true, every CONNECT is refused and pointed elsewhere. */
  setDraining(isDraining: boolean): void {
    this.#registry.isDraining = isDraining
  }

  /** Sends up to `count` connected clients away; answers which. Their sessions end, or stay, as for any lost connection. */
  dismiss(count: number): readonly ClientId[] {
    const dismissed: ClientId[] = []
    const { serverReference, serverMoved } = this.#options
    const elsewhere = serverMoved === true ? reason.serverMoved : reason.useAnotherServer
    const code = serverReference === undefined ? reason.serverShuttingDown : elsewhere
    for (const connection of this.#registry.connections) {
      if (dismissed.length >= count) break
      const { session } = connection
      if (connection.state !== 'connected' || session === undefined) continue
      dismissed.push(session.clientId)
      connection.disconnect(code, 'the node is draining: connect to another', true, serverReference)
    }
    return dismissed
  }
}
