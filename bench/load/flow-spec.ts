import type { LatencySummary } from './latency-recorder.ts'
import type { ProtocolVersion } from './mqtt-packets.ts'

/**
 * Who sends to whom. `pairs`: publisher i → subscriber i, each pair its own topic · `fan-in`: every publisher its own
 * topic, each subscriber a wildcard over all · `fan-out`: one topic, every subscriber subscribed to it · `shared`:
 * every publisher its own topic, all subscribers one shared group over a wildcard.
 */
export type FlowShape = 'pairs' | 'fan-in' | 'fan-out' | 'shared'

/** A stream of messages through a broker, as the load process is asked to drive it. */
export interface FlowSpec {
  shape: FlowShape
  qos: 0 | 1 | 2
  payloadBytes: number
  publishers: number
  subscribers: number
  /** Subscribers ask for a clean session; publishers always do. */
  cleanSession: boolean
  /** Messages per publisher that may be unacknowledged, and whose deliveries may be awaited. */
  window: number
  /** Messages per second of all publishers together; null drives the closed loop. */
  ratePerSecond: number | null
}

/** The part of a request that depends on the broker under test. */
export interface LoadTarget {
  port: number
  version: ProtocolVersion
  /** Process of the broker, for its CPU time. */
  pid: number
  /** Where subscribers connect when it is not where publishers do. */
  subscribers?: { port: number; pid: number }
}

export interface LoadTiming {
  warmupMs: number
  measureMs: number
}

export interface FlowResult {
  publishedPerSecond: number
  deliveredPerSecond: number
  /** Over the whole run, warm-up and drain included. */
  published: number
  delivered: number
  lost: number
  duplicated: number
  latency: LatencySummary
  /** CPU time of broker and load process during the measured window, in cores. */
  brokerCores: number
  loadCores: number
  /** Of the subscribers' broker where it is another one. */
  subscriberBrokerCores?: number
}

/** Copies that one publish calls for. */
export function copiesOf(spec: FlowSpec): number {
  return spec.shape === 'fan-out' || spec.shape === 'fan-in' ? spec.subscribers : 1
}

export function topicOf(spec: FlowSpec, publisher: number): string {
  return spec.shape === 'fan-out' ? 'bench/topic' : `bench/topic-${publisher}`
}

export function filterOf(spec: FlowSpec, subscriber: number): string {
  switch (spec.shape) {
    case 'pairs':
      return `bench/topic-${subscriber}`
    case 'fan-in':
      return 'bench/+'
    case 'fan-out':
      return 'bench/topic'
    case 'shared':
      return '$share/bench/bench/+'
  }
}
