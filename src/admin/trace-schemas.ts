import { z } from 'zod'
import { limits } from '../core/limits.ts'
import type { TracePage } from '../core/ports/tracing.ts'

const SECONDS_DEFAULT = 10
const COUNT_DEFAULT = 100

const attributesSchema = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
const atSchema = z
  .number()
  .describe('Unix time in milliseconds, with its fraction, by the clock of the node.')

const spanSchema = z
  .object({
    traceId: z.string(),
    spanId: z.string(),
    parentSpanId: z.string().nullable(),
    name: z
      .enum(['publish', 'forward', 'receive'])
      .describe(
        'publish: at the node of the publisher. forward: on the way to another. receive: at that node.',
      ),
    nodeId: z.string(),
    startMs: atSchema,
    endMs: atSchema,
    attributes: attributesSchema,
    events: z.array(z.object({ name: z.string(), atMs: atSchema, attributes: attributesSchema })),
    complete: z.boolean().describe('False: it was still open when the trace ended.'),
  })
  .describe('A part of a message’s way, in the terms of OpenTelemetry.')

export const traceStartedSchema = z
  .object({ nodeId: z.string().describe('The node that answers, and gathers.'), name: z.string() })
  .describe('A trace has begun.')

export const tracePageSchema = z
  .object({
    nodeId: z.string(),
    name: z.string(),
    spans: z.array(spanSchema),
    next: z.number().describe('Pass it as `from` for what comes later.'),
    over: z.boolean().describe('Nothing more comes.'),
    dropped: z.number().describe('Spans left out because there were too many.'),
  })
  .describe('What a trace has found.')

export const traceRequestSchema = z.strictObject({
  filter: z.string().max(65_535).describe('A topic filter, or a topic.'),
  seconds: z
    .number()
    .min(0.1)
    .max(limits.traceSecondsMax)
    .default(SECONDS_DEFAULT)
    .describe('How long messages are followed.'),
  count: z
    .int()
    .min(1)
    .max(limits.traceCountMax)
    .default(COUNT_DEFAULT)
    .describe('How many messages at most, at each node.'),
})

export const tracePathSchema = z.strictObject({ name: z.string().max(64) })
export const traceQuerySchema = z.strictObject({
  from: z.int().min(0).default(0).describe('How many spans to pass over: those read before.'),
})

export type TraceSpanView = z.output<typeof spanSchema>
export type TraceStartedView = z.output<typeof traceStartedSchema>
export type TracePageView = z.output<typeof tracePageSchema>
export type TraceStart = z.output<typeof traceRequestSchema>
export type TraceQuery = z.output<typeof traceQuerySchema>

export function tracePageView(nodeId: string, name: string, page: TracePage): TracePageView {
  const { spans, next, isOver: over, dropped } = page
  return {
    nodeId,
    name,
    spans: spans.map(({ isComplete: complete, parentSpanId, attributes, events, ...span }) => ({
      ...span,
      parentSpanId: parentSpanId ?? null,
      attributes: { ...attributes },
      events: events.map(event => ({ ...event, attributes: { ...event.attributes } })),
      complete,
    })),
    next,
    over,
    dropped,
  }
}
