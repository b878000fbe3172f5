import type { NodeId } from '../core/ids.ts'
import type { DrainStatus } from '../core/ports/node-control.ts'
import type { NodeStatusSource } from '../core/ports/node-status.ts'

/** How a node is emptied before it is stopped. */
export interface NodeDrainOptions {
  /** How long it may take at most. */
  readonly timeoutMs: number
  /** Connected clients asked to go per second; by default as many as lets all be asked in half of the time, 100 at least. */
  readonly ratePerSecond?: number | undefined
}

/** A broker, as those who start one see it. */
export interface GrapevineNode extends NodeStatusSource {
  readonly nodeId: NodeId
  /** `host:port` of the MQTT listener, the actual port where 0 was asked. */
  readonly mqttAddress: string
  /** URLs of all listeners for clients, plain MQTT first: `mqtt://…`, `mqtts://…`, `ws://…`, `wss://…`. */
  readonly listeners: readonly string[]
  /** Base URL of the admin interface. */
  readonly adminUrl: string
  /** True once every readiness check is ok. */
  readonly isReady: boolean
  /** Resolves when `isReady` first becomes true; rejects when the node stopped before. */
  whenReady(): Promise<void>
  /** Resolves when the node has stopped: with the fault that stopped it, or undefined after `stop`. */
  readonly stopped: Promise<Error | undefined>
  /**
   * Sends clients away and hands their sessions to the other nodes, taking no new ones. Resolves with how far it came: when no
   * session is left, when the time is up, or when there is no other node to take them. Takes no clients again afterwards.
   */
  drain(options: NodeDrainOptions): Promise<DrainStatus>
  /** How far a drain has come, whoever began it. */
  drainStatus(): DrainStatus
  /** Disconnects clients, leaves the cluster, flushes and closes. Idempotent. */
  stop(): Promise<void>
}
