/**
 * What clients did and saw in a run, for checkers: facts, in the order they happened, without judgement. Times are virtual
 * ms. `writtenMs` is when a broker handed the bytes to its kernel, which is its act; `atMs` when the client had them.
 */
import type { NodeId } from '../../src/core/ids.ts'
import type { QoS } from '../../src/core/qos.ts'

export interface ConnectionRecord {
  readonly number: number
  readonly clientId: string
  readonly nodeId: NodeId
  readonly connectSentMs: number
  readonly cleanStart: boolean
  readonly expirySeconds: number
  readonly receiveMax: number
  readonly will: WillRecord | undefined
  connackWrittenMs: number | undefined
  connackMs: number | undefined
  /** When the broker wrote the last thing that came: it had the connection then. */
  lastWrittenMs: number | undefined
  /** Of the CONNACK; 0 = accepted. */
  reasonCode: number | undefined
  sessionPresent: boolean
  /** Sent by the client. */
  disconnectSentMs: number | undefined
  /** When the broker read it; undefined: never. */
  disconnectReadMs: number | undefined
  /** That DISCONNECT ends the session, too. */
  endsSession: boolean
  /** Sent by the broker. */
  disconnectReason: number | undefined
  /** The client vanished without DISCONNECT, or gave the connection up. */
  abandonedMs: number | undefined
  /** It was given up without being closed, so that only its silence tells the broker. */
  isLeftOpen: boolean
  closedMs: number | undefined
}

export interface WillRecord {
  readonly topic: string
  readonly payload: string
  readonly delaySeconds: number
}

export interface PublishRecord {
  readonly publisher: string
  readonly sequence: number
  readonly topic: string
  readonly qos: QoS
  readonly retain: boolean
  readonly isEmpty: boolean
  /** Its payload is padded. */
  readonly isLarge: boolean
  readonly expirySeconds: number | undefined
  /** Each time its PUBLISH was sent; the first is the attempt. */
  readonly sends: {
    readonly connection: ConnectionRecord
    readonly atMs: number
    /** When the broker read it; absent: never. */
    readMs?: number
  }[]
  /** PUBACK or PUBCOMP with success reached the publisher. */
  acknowledgedMs: number | undefined
  acknowledgedOn: ConnectionRecord | undefined
}

export interface SubscriptionRecord {
  readonly clientId: string
  readonly filter: string
  readonly group: string | undefined
  readonly qos: QoS
  readonly barrier: 'local' | 'all'
  /** Its session outlives connections. */
  readonly isDurable: boolean
  readonly connection: ConnectionRecord
  readonly subackMs: number
  unsubscribeSentMs: number | undefined
  unsubackMs: number | undefined
  /** The session it belonged to is no more, so nothing is promised to it any longer. */
  endedMs: number | undefined
}

/** A SUBSCRIBE, which may be in force before its SUBACK, and though that never came. */
export interface SubscribeAttempt {
  readonly clientId: string
  readonly filter: string
  readonly atMs: number
  /** When it was answered with a failure. */
  refusedMs: number | undefined
}

export interface DeliveryRecord {
  readonly clientId: string
  readonly connection: ConnectionRecord
  readonly payload: string
  readonly topic: string
  readonly qos: QoS
  readonly packetId: number | undefined
  readonly isDuplicateFlagged: boolean
  readonly isRetained: boolean
  readonly atMs: number
  readonly writtenMs: number
  /** At QoS 2: the client had this packet id already and had not been sent PUBREL, so it is not delivered again. */
  readonly isRetransmission: boolean
}

export interface AcknowledgementRecord {
  readonly connection: ConnectionRecord
  readonly kind: 'puback' | 'pubrec' | 'pubcomp'
  readonly packetId: number
  readonly writtenMs: number
}

/** A breach of the protocol that a client noticed by itself. */
export interface ProtocolBreach {
  readonly connection: ConnectionRecord
  readonly atMs: number
  readonly rule: 'receive-maximum' | 'packet-id-reused' | 'malformed'
  readonly detail: string
}

export class History {
  readonly connections: ConnectionRecord[] = []
  readonly publishes: PublishRecord[] = []
  readonly subscriptions: SubscriptionRecord[] = []
  readonly attempts: SubscribeAttempt[] = []
  readonly deliveries: DeliveryRecord[] = []
  readonly acknowledgements: AcknowledgementRecord[] = []
  readonly breaches: ProtocolBreach[] = []
}

/** `publisher-sequence`, which names one attempt. */
export function payloadOf(publisher: string, sequence: number): string {
  return `${publisher}-${sequence}`
}

/** Larger than what every node keeps of retained messages. */
const LARGE_BYTES = 3000

/** A payload as it travels in a large message. */
export function padded(payload: string): string {
  return payload.padEnd(LARGE_BYTES, '.')
}

/** The payload in a large message; one that was cut, or is another, stays as it is. */
export function unpadded(payload: string): string {
  return payload.length === LARGE_BYTES ? payload.replace(/\.+$/, '') : payload
}
