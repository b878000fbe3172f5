import type { TraceSpanView } from '../admin/trace-schemas.ts'
import { printable, table } from './table.ts'

interface Step {
  readonly atMs: number
  readonly nodeId: string
  readonly what: string
}

/** The way of one message, for people: what happened where, in order of time, from its publishing on. */
export function renderTrace(spans: readonly TraceSpanView[]): string {
  const steps = spans.flatMap(stepsOf).sort((a, b) => a.atMs - b.atMs)
  const root = spans.find(span => span.name === 'publish')
  const [first] = steps
  const from = root?.startMs ?? first?.atMs ?? 0
  const attributes = (root ?? spans[0])?.attributes ?? {}
  const publisher = textOf(attributes['messaging.client.id'])
  const title = [
    printable(textOf(attributes['messaging.destination.name'])),
    `QoS ${textOf(attributes['messaging.mqtt.qos'])}`,
    ...(publisher === '' ? [] : [`from ${printable(publisher)}`]),
    new Date(from).toISOString(),
    `trace ${spans[0]?.traceId ?? ''}`,
  ].join('  ')
  const rows = steps.map(({ atMs, nodeId, what }) => [
    `${(atMs - from).toFixed(2).padStart(10)} ms`,
    nodeId,
    what,
  ])
  return [title, ...table(rows)].join('\n')
}

function stepsOf(span: TraceSpanView): Step[] {
  const { nodeId, attributes, events, startMs, endMs, complete } = span
  const peer = textOf(attributes['grapevine.peer'])
  const start: Step = { atMs: startMs, nodeId, what: startText(span, peer) }
  const steps = events.map(({ name, atMs, attributes: more }): Step => ({
    atMs,
    nodeId,
    what: eventText(span, peer, name, more),
  }))
  const end = complete ? [] : [{ atMs: endMs, nodeId, what: `still open when the trace ended: ${span.name}` }]
  return [start, ...steps, ...end]
}

function startText({ name, attributes }: TraceSpanView, peer: string): string {
  if (name === 'receive') return `received from ${peer}`
  if (name === 'publish') return 'published'
  const group = attributes['grapevine.group']
  const target =
    group === undefined
      ? ''
      : `, for one member of $share/${textOf(group)}/${textOf(attributes['grapevine.filter'])}`
  return `routed to ${peer}${target}`
}

function eventText(
  { name: span }: TraceSpanView,
  peer: string,
  name: string,
  attributes: TraceSpanView['attributes'],
): string {
  const isForward = span === 'forward'
  switch (name) {
    case 'delivered':
      return deliveredText(attributes)
    case 'sent':
      return `sent to ${peer}`
    case 'dropped':
      return `dropped: no link to ${peer}, or its queue is full`
    case 'stored':
      return `stored in the outbox for ${peer}`
    case 'accepted':
      return isForward ? `${peer} has accepted it` : 'accepted'
    case 'acknowledged':
      return 'acknowledged to the publisher'
    case 'refused':
      return 'given back: no member of the shared subscription is left here'
    case 'expired':
      return 'expired on arrival'
    case 'duplicate':
      return 'not delivered: the same message had come another way'
    default:
      return name
  }
}

function textOf(value: string | number | boolean | undefined): string {
  return value === undefined ? '' : String(value)
}

function deliveredText({ clients, names, group, filter }: TraceSpanView['attributes']): string {
  if (group !== undefined)
    return `delivered to ${textOf(names)}, the member of $share/${textOf(group)}/${textOf(filter)}`
  if (clients === 0) return 'matched no subscriber here'
  const named = textOf(names)
  const isCut = named.split(', ').length < Number(clients)
  return `delivered to ${textOf(clients)} ${clients === 1 ? 'client' : 'clients'}: ${named}${isCut ? ' …' : ''}`
}
