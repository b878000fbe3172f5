import { SpanKind, SpanStatusCode, TraceFlags, type HrTime } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes, type Resource } from '@opentelemetry/resources'
import {
  BatchSpanProcessor,
  type ReadableSpan,
  type SpanExporter as BatchExporter,
} from '@opentelemetry/sdk-trace'
import { errorMessage } from '../core/errors.ts'
import type { Logger } from '../core/ports/logger.ts'
import type { FinishedSpan, SpanExporter } from '../core/ports/tracing.ts'

export interface OtlpOptions {
  /** Where a collector takes traces, like http://127.0.0.1:4318/v1/traces. */
  readonly url: string
  readonly cluster: string
  readonly nodeId: string
  readonly version: string
}

/** Spans waiting to be sent; more are dropped. */
const QUEUE_SPANS_MAX = 4096
const BATCH_SPANS_MAX = 256
const SEND_EVERY_MS = 1000
const TIMEOUT_MS = 5000

const KINDS = {
  publish: SpanKind.SERVER,
  forward: SpanKind.PRODUCER,
  receive: SpanKind.CONSUMER,
} as const

/** Sends a node's spans by OTLP over HTTP (JSON), in batches. What a collector does not take in time is lost. */
export class OtlpSpanExporter implements SpanExporter {
  readonly #processor: BatchSpanProcessor
  readonly #resource: Resource

  constructor({ url, cluster, nodeId, version }: OtlpOptions, logger: Logger) {
    this.#processor = new BatchSpanProcessor({
      exporter: complaining(new OTLPTraceExporter({ url, timeoutMillis: TIMEOUT_MS }), url, logger),
      maxQueueSize: QUEUE_SPANS_MAX,
      maxExportBatchSize: BATCH_SPANS_MAX,
      scheduledDelayMillis: SEND_EVERY_MS,
      exportTimeoutMillis: TIMEOUT_MS,
    })
    this.#resource = resourceFromAttributes({
      'service.name': 'grapevine',
      'service.namespace': cluster,
      'service.instance.id': nodeId,
      'service.version': version,
    })
  }

  export(span: FinishedSpan): void {
    this.#processor.onEnd(readable(span, this.#resource))
  }

  /** Sends what waits, and stops; what cannot be sent was complained of, and is lost. */
  async close(): Promise<void> {
    await this.#processor.shutdown().catch(() => undefined)
  }
}

/** Says once, until it goes well again, that spans are lost. */
function complaining(inner: OTLPTraceExporter, url: string, logger: Logger): BatchExporter {
  let isFailing = false
  return {
    export: (spans, done) =>
      inner.export(spans, result => {
        const hasFailed = result.error !== undefined
        if (hasFailed && !isFailing) {
          const fields = { url, spans: spans.length, error: errorMessage(result.error) }
          logger.warn(
            'spans were not taken by the collector and are lost; is observability.otlpEndpoint right?',
            fields,
          )
        }
        isFailing = hasFailed
        done(result)
      }),
    shutdown: () => inner.shutdown(),
    forceFlush: () => inner.forceFlush(),
  }
}

/** As the exporter wants it; it was made with the node's own clock and random numbers. */
function readable(span: FinishedSpan, resource: Resource): ReadableSpan {
  const { traceId, parentSpanId } = span
  const contextOf = (spanId: string) => ({ traceId, spanId, traceFlags: TraceFlags.SAMPLED })
  return {
    name: span.name,
    kind: KINDS[span.name],
    spanContext: () => contextOf(span.spanId),
    ...(parentSpanId === undefined ? {} : { parentSpanContext: contextOf(parentSpanId) }),
    startTime: hrTime(span.startMs),
    endTime: hrTime(span.endMs),
    duration: hrTime(span.endMs - span.startMs),
    status: { code: SpanStatusCode.UNSET },
    attributes: { ...span.attributes, 'grapevine.complete': span.isComplete },
    links: [],
    events: span.events.map(({ name, atMs, attributes }) => ({ name, time: hrTime(atMs), attributes })),
    ended: true,
    resource,
    instrumentationScope: { name: 'grapevine' },
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  }
}

/** Seconds and nanoseconds. */
function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000)
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)]
}
