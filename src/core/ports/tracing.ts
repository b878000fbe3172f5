import type { NodeId } from '../ids.ts'

/** Where in a trace something happens, as W3C Trace Context names it: 32 and 16 lower-case hexadecimal digits. */
export interface TraceContext {
  readonly traceId: string
  readonly spanId: string
}

export type SpanAttributes = Readonly<Record<string, string | number | boolean>>

/** Something at one instant. `atMs`: wall clock of the node, ms, with its fraction. */
export interface SpanEvent {
  readonly name: string
  readonly atMs: number
  readonly attributes: SpanAttributes
}

/**
 * A part of a publication's way on one node, in OpenTelemetry's terms: `publish` at the node its publisher is connected to,
 * below it a `forward` for each node it is sent to, and below that `receive` at that node.
 */
export interface FinishedSpan extends TraceContext {
  readonly parentSpanId: string | undefined
  readonly name: 'publish' | 'forward' | 'receive'
  readonly nodeId: NodeId
  /** Wall clock of the node, ms, with fractions. */
  readonly startMs: number
  readonly endMs: number
  readonly attributes: SpanAttributes
  /** In order. */
  readonly events: readonly SpanEvent[]
  /** False: it was still open when the trace ended. */
  readonly isComplete: boolean
}

/** Sends spans of this node to where they are kept. */
export interface SpanExporter {
  /** Takes a span to be sent later, or, when too many wait, drops it. Never throws or blocks. */
  export(span: FinishedSpan): void
}

export interface TraceRequest {
  /** A valid topic filter without a group. */
  readonly filter: string
  /** > 0 */
  readonly seconds: number
  /** Publications per node, ≥ 1. */
  readonly count: number
}

/** What a trace has found, from one place in it on. */
export interface TracePage {
  readonly spans: readonly FinishedSpan[]
  /** Where the next page begins. */
  readonly next: number
  /** Nothing more comes. */
  readonly isOver: boolean
  /** Spans that were left out because there were too many. */
  readonly dropped: number
}

/** Follows real publications through the cluster, for a while. */
export interface TraceControl {
  /** Begins at every member linked now; answers the trace's name, or undefined when too many are under way. */
  start(request: TraceRequest): string | undefined
  /** Undefined: there is no such trace (any more). */
  read(name: string, from: number): TracePage | undefined
  /** Ends it at every node; it can be read no more. False: there is no such trace. */
  stop(name: string): boolean
}
