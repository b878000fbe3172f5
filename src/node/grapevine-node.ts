import type { NodeId } from '../core/ids.ts'
import type { NodeStatusSource } from '../core/ports/node-status.ts'

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
  /** Disconnects clients, leaves the cluster, flushes and closes. Idempotent. */
  stop(): Promise<void>
}
