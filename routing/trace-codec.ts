/**
 * The TRACE frame of the "forward" channel (WIRE.md): begins and ends traces at other nodes, and brings their spans back.
 *
 * JSON behind one byte, since few are sent. Decoding believes nothing: what is not exactly such a message is undefined.
 */
import type { FinishedSpan, SpanAttributes, SpanEvent, TraceRequest } from '../src/core/ports/tracing.ts'
import { limits } from '../src/core/limits.ts'
import { topicFilterFault } from '../src/core/topic.ts'

export type TraceMessage =
  | ({ readonly type: 'start'; readonly name: string } & TraceRequest)
  | { readonly type: 'stop'; readonly name: string }
  | { readonly type: 'span'; readonly name: string; readonly span: Omit<FinishedSpan, 'nodeId'> }

const LEVELS_MAX = 65_535
const NAME = /^[0-9a-f]{16}$/
const TRACE_ID = /^[0-9a-f]{32}$/
const SPAN_NAMES: readonly unknown[] = ['publish', 'forward', 'receive']

/** Undefined: too long for a frame. */
export function encodeTrace(kind: number, message: TraceMessage): Uint8Array | undefined {
  const text = new TextEncoder().encode(JSON.stringify(message))
  if (text.length >= limits.traceFrameBytesMax) return undefined
  const frame = new Uint8Array(1 + text.length)
  frame[0] = kind
  frame.set(text, 1)
  return frame
}

export function decodeTrace(frame: Uint8Array): TraceMessage | undefined {
  if (frame.length > limits.traceFrameBytesMax) return undefined
  let message: unknown
  try {
    message = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(frame.subarray(1)))
  } catch {
    return undefined
  }
  if (!isRecord(message) || !matches(NAME, message['name'])) return undefined
  const name = message['name'] as string
  switch (message['type']) {
    case 'start': {
      const request = requestOf(message)
      return request && { type: 'start', name, ...request }
    }
    case 'stop':
      return { type: 'stop', name }
    case 'span': {
      const span = spanOf(message['span'])
      return span && { type: 'span', name, span }
    }
    default:
      return undefined
  }
}

function requestOf({ filter, seconds, count }: Record<string, unknown>): TraceRequest | undefined {
  if (typeof filter !== 'string' || topicFilterFault(filter, LEVELS_MAX) !== undefined) return undefined
  if (!isNumber(seconds) || !(seconds > 0 && seconds <= limits.traceSecondsMax)) return undefined
  if (!Number.isInteger(count) || !((count as number) >= 1 && (count as number) <= limits.traceCountMax))
    return undefined
  return { filter, seconds, count: count as number }
}

function spanOf(value: unknown): Omit<FinishedSpan, 'nodeId'> | undefined {
  if (!isRecord(value)) return undefined
  const { traceId, spanId, parentSpanId, name, startMs, endMs, attributes, events, isComplete } = value
  if (!matches(TRACE_ID, traceId) || !matches(NAME, spanId)) return undefined
  if (parentSpanId !== undefined && !matches(NAME, parentSpanId)) return undefined
  if (!SPAN_NAMES.includes(name) || !isNumber(startMs) || !isNumber(endMs)) return undefined
  if (!areAttributes(attributes) || typeof isComplete !== 'boolean') return undefined
  if (!Array.isArray(events) || events.length > limits.traceEventsMax || !events.every(isEvent))
    return undefined
  return {
    traceId: traceId as string,
    spanId: spanId as string,
    parentSpanId: parentSpanId as string | undefined,
    name: name as FinishedSpan['name'],
    startMs,
    endMs,
    attributes,
    events: events.map(({ name: event, atMs, attributes: more }) => ({
      name: event,
      atMs,
      attributes: more,
    })),
    isComplete,
  }
}

function isEvent(value: unknown): value is SpanEvent {
  return (
    isRecord(value) &&
    typeof value['name'] === 'string' &&
    isNumber(value['atMs']) &&
    areAttributes(value['attributes'])
  )
}

function areAttributes(value: unknown): value is SpanAttributes {
  return (
    isRecord(value) &&
    Object.values(value).every(one => isNumber(one) || typeof one === 'string' || typeof one === 'boolean')
  )
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function matches(pattern: RegExp, value: unknown): boolean {
  return typeof value === 'string' && pattern.test(value)
}
