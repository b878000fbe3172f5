import type { NodeId } from '../../src/core/ids.ts'
import type { QoS } from '../../src/core/qos.ts'
import type { VirtualClock } from '../ports/virtual-clock.ts'
import type { ClientSocket, SocketListener } from '../world/client-socket.ts'
import type { Trace } from '../world/trace.ts'
import type { History } from './history.ts'

export interface ClientProfile {
  readonly clientId: string
  readonly version: 4 | 5
  readonly cleanStart: boolean
  /** How long its session outlives a connection; 0 = not at all. */
  readonly expirySeconds: number
  readonly willDelaySeconds: number | undefined
  /** The node it always connects to; undefined: to any. */
  readonly home?: NodeId | undefined
}

/** What a simulated client needs of the world. */
export interface ClientWorld {
  readonly clock: VirtualClock
  readonly trace: Trace
  readonly history: History
  /** Of the nodes clients may choose from. */
  readonly nodeIds: readonly NodeId[]
  dial(nodeId: NodeId, listener: SocketListener): ClientSocket | undefined
}

export interface WantedSubscription {
  readonly filter: string
  readonly group?: string
  readonly qos: QoS
  readonly barrier: 'local' | 'all'
}

/** The topic filter as it stands in SUBSCRIBE. */
export function fullFilter({ filter, group }: WantedSubscription): string {
  return group === undefined ? filter : `$share/${group}/${filter}`
}
