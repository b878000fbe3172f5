import type { LatencySummary } from './latency-recorder.ts'
import type { ProtocolVersion } from './mqtt-packets.ts'

/** Sessions that go from one of two brokers to the other while their client is still connected to the first. */
export interface TakeoverSpec {
  sessions: number
  /** Messages at QoS 1 waiting in each session, which never become fewer. */
  queued: number
  payloadBytes: number
  /** Between a takeover and the next one, of another session. */
  pauseMs: number
}

export interface TakeoverTarget {
  ports: readonly [number, number]
  version: ProtocolVersion
}

export interface TakeoverResult {
  /** From CONNECT to a CONNACK with Session Present 1. */
  latency: LatencySummary
  /** Of the messages fetched at the end, from where each session had come to. */
  delivered: number
  lost: number
}
