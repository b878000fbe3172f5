import type { NodeId } from '../src/core/ids.ts'
import { limits } from '../src/core/limits.ts'
import type { FinishedSpan, SpanAttributes, SpanEvent, TraceContext } from '../src/core/ports/tracing.ts'

export interface SpanStart {
  readonly name: FinishedSpan['name']
  readonly nodeId: NodeId
  readonly context: TraceContext
  readonly parentSpanId: string | undefined
  readonly attributes: SpanAttributes
}

/** A span that is being made. It ends once; what comes later is ignored. */
export class OpenSpan {
  readonly context: TraceContext
  readonly #start: SpanStart
  readonly #startMs: number
  readonly #events: SpanEvent[] = []
  readonly #nowMs: () => number
  readonly #onEnd: (span: FinishedSpan) => void
  #isEnded = false

  /** `nowMs`: wall clock with fractions. */
  constructor(start: SpanStart, nowMs: () => number, onEnd: (span: FinishedSpan) => void) {
    this.#start = start
    this.context = start.context
    this.#nowMs = nowMs
    this.#onEnd = onEnd
    this.#startMs = nowMs()
  }

  /** Beyond `limits.traceEventsMax` events are left out. */
  event(name: string, attributes: SpanAttributes = {}): void {
    if (this.#isEnded || this.#events.length >= limits.traceEventsMax) return
    this.#events.push({ name, atMs: this.#nowMs(), attributes })
  }

  end(isComplete = true): void {
    if (this.#isEnded) return
    this.#isEnded = true
    const { name, nodeId, context, parentSpanId, attributes } = this.#start
    this.#onEnd({
      ...context,
      parentSpanId,
      name,
      nodeId,
      startMs: this.#startMs,
      endMs: this.#nowMs(),
      attributes,
      events: this.#events,
      isComplete,
    })
  }
}
