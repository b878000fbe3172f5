import type { LocalMatch } from '../core/ports/routing.ts'
import type { Publication } from '../core/publication.ts'
import type { QueuedMessage } from './delivery-queue.ts'

/** The client's end of a session, while it is connected. */
export interface SessionClient {
  /** Where it connects from, for displays. */
  readonly remote: string
  /** QoS ≥ 1 messages the client and the node allow in flight. */
  readonly inflightMax: number
  /** Whether QoS ≥ 1 may be sent now: the output is not congested and the node not suspended. */
  canSendAcknowledged(): boolean
  /** False: dropped, because the client is too slow or its maximum packet size forbids it. */
  sendUnacknowledged(publication: Publication, retain: boolean, match: LocalMatch): boolean
  /** False: larger than the client's maximum packet size [MQTT-3.1.2-24]. */
  sendAcknowledged(message: QueuedMessage, publication: Publication): boolean
  /** PUBREL, the third packet of a QoS 2 exchange, once the journal has everything up to now. */
  sendRelease(packetId: number): void
  /** Calls `Session.pump` after the journal's next commit. */
  awaitStore(): void
  /** Another connection, or another node, takes the session over: ends this one with 0x8E [MQTT-3.1.4-3]. */
  takeOver(detail: string): void
  /** Its will has been published: ends the connection, without one. */
  loseWill(detail: string): void
}
