/**
 * Follows publications whose topics match a filter: begins traces at all nodes, makes this node's spans, gathers those of
 * the others at the node that was asked.
 *
 * It changes nothing about how a publication is routed or acknowledged. Everything is bounded: traces, their time, the
 * publications per node, the spans kept. Invariant: `TracePoint.tracer` is set exactly while a trace takes publications or
 * has open spans here.
 */
import type { NodeId } from '../src/core/ids.ts'
import { limits } from '../src/core/limits.ts'
import type { Clock, Timer } from '../src/core/ports/clock.ts'
import type { PeerTransport } from '../src/core/ports/peer-transport.ts'
import type { Random } from '../src/core/ports/random.ts'
import type { Acceptance, SharedTarget } from '../src/core/ports/routing.ts'
import type {
  FinishedSpan,
  SpanExporter,
  TraceContext,
  TraceControl,
  TracePage,
  TraceRequest,
} from '../src/core/ports/tracing.ts'
import type { Publication } from '../src/core/publication.ts'
import { topicMatches } from '../src/core/topic.ts'
import { frameKind, traceContextOf } from './forward-codec.ts'
import { OpenSpan, type SpanStart } from './open-span.ts'
import { decodeTrace, encodeTrace, type TraceMessage } from './trace-codec.ts'
import type { TracePoint } from './trace-point.ts'
import { TracedPublication } from './traced-publication.ts'

/** How long after its end spans of a trace are still waited for, and how long it can be read then. */
const GATHERING_MS = 1000
const READABLE_MS = 60_000
const TOPIC_SHOWN_MAX = 256

export interface TracerComponents {
  readonly nodeId: NodeId
  readonly clock: Clock
  readonly random: Random
  readonly transport: Pick<PeerTransport, 'send'>
  readonly point: TracePoint
  /** Other members. */
  readonly members: () => readonly NodeId[]
  readonly exporter: SpanExporter | undefined
}

interface Trace {
  readonly name: string
  readonly filter: string
  /** Undefined: it was begun here. */
  readonly collector: NodeId | undefined
  /** Publications that may still enter it at this node. */
  left: number
  /** `taking` publications, then `gathering` spans of other nodes, then `over`. */
  phase: 'taking' | 'gathering' | 'over'
  readonly spans: FinishedSpan[]
  dropped: number
  readonly open: Set<OpenSpan>
  timer: Timer
}

export class PublishTracer implements TraceControl {
  readonly #components: TracerComponents
  readonly #traces = new Map<string, Trace>()
  /** Spans of forwards whose frame was not sent, by span id. */
  readonly #unsent = new Map<string, OpenSpan>()
  /** By the node it came from: what was received and not accepted, in order of sequence. */
  readonly #received = new Map<NodeId, { readonly sequence: number; readonly span: OpenSpan }[]>()
  #wallOffsetMs = 0

  constructor(components: TracerComponents) {
    this.#components = components
  }

  start(request: TraceRequest): string | undefined {
    const name = this.#id(8)
    if (!this.#begin(name, request, undefined)) return undefined
    this.#tell(this.#components.members(), { type: 'start', name, ...request })
    return name
  }

  read(name: string, from: number): TracePage | undefined {
    const trace = this.#traces.get(name)
    if (trace?.collector !== undefined || trace === undefined) return undefined
    const spans = trace.spans.slice(from)
    return { spans, next: from + spans.length, isOver: trace.phase === 'over', dropped: trace.dropped }
  }

  stop(name: string): boolean {
    const trace = this.#traces.get(name)
    if (trace?.collector !== undefined || trace === undefined) return false
    this.#tell(this.#components.members(), { type: 'stop', name })
    this.#remove(trace)
    return true
  }

  /** Ends everything: the node stops. */
  close(): void {
    for (const trace of [...this.#traces.values()]) this.#remove(trace)
  }

  /** A publication enters at this node: undefined when no trace wants it. */
  begin(publication: Publication, acceptance: Acceptance | undefined): TracedPublication | undefined {
    const { topic, publisher, qos, payload } = publication
    const traces = this.#wanting(topic).filter(({ left }) => left > 0)
    if (traces.length === 0) return undefined
    for (const trace of traces) trace.left--
    const traced = this.#traced(traces, {
      name: 'publish',
      context: { traceId: this.#id(16), spanId: this.#id(8) },
      parentSpanId: undefined,
      attributes: {
        ...describe(topic, qos),
        'messaging.client.id': publisher,
        'messaging.message.body.size': payload.length,
      },
    })
    if (acceptance !== undefined) {
      const before = acceptance.afterwards
      acceptance.afterwards = () => {
        before?.()
        traced.span.event('acknowledged')
        traced.span.end()
      }
    }
    return traced
  }

  /** What a peer forwarded and traces: undefined when this node does not. At QoS ≥ 1 until `accepted`. */
  received(
    context: TraceContext,
    from: NodeId,
    sequence: number,
    { topic, qos }: Publication,
  ): TracedPublication | undefined {
    const traces = this.#wanting(topic)
    if (traces.length === 0) return undefined
    const traced = this.#traced(traces, {
      name: 'receive',
      context: { traceId: context.traceId, spanId: this.#id(8) },
      parentSpanId: context.spanId,
      attributes: { ...describe(topic, qos), 'grapevine.peer': from },
    })
    if (sequence > 0) {
      let waiting = this.#received.get(from)
      if (waiting === undefined) this.#received.set(from, (waiting = []))
      waiting.push({ sequence, span: traced.span })
    }
    return traced
  }

  /** Routes or delivers a traced publication. */
  during<T>(traced: TracedPublication, action: () => T): T {
    const { point } = this.#components
    point.current = traced
    try {
      return action()
    } finally {
      point.current = undefined
    }
  }

  /** A frame of a forward that is traced was handed to the transport. */
  sent(frame: Uint8Array): void {
    const spanId = traceContextOf(frame)?.spanId ?? ''
    this.#unsent.get(spanId)?.event('sent')
    this.#unsent.delete(spanId)
  }

  /** A peer was told that everything up to `sequence` is accepted. */
  accepted(nodeId: NodeId, sequence: number): void {
    const waiting = this.#received.get(nodeId)
    if (waiting === undefined) return
    let count = 0
    for (const { sequence: received, span } of waiting) {
      if (received > sequence) break
      span.event('accepted')
      span.end()
      count++
    }
    waiting.splice(0, count)
    if (waiting.length === 0) this.#received.delete(nodeId)
  }

  /** A TRACE frame of a member. False when it is malformed. */
  onFrame(from: NodeId, frame: Uint8Array): boolean {
    const message = decodeTrace(frame)
    if (message === undefined) return false
    const trace = this.#traces.get(message.name)
    if (message.type === 'start') {
      if (trace === undefined) this.#begin(message.name, message, from)
    } else if (message.type === 'stop') {
      if (trace?.collector === from) this.#remove(trace)
    } else if (trace !== undefined && trace.collector === undefined) {
      keep(trace, { ...message.span, nodeId: from })
    }
    return true
  }

  #begin(name: string, { filter, seconds, count }: TraceRequest, collector: NodeId | undefined): boolean {
    if (this.#traces.size >= limits.tracesMax) return false
    const { clock, point } = this.#components
    this.#wallOffsetMs = clock.wallNow() - clock.now()
    const trace: Trace = {
      name,
      filter,
      collector,
      left: count,
      phase: 'taking',
      spans: [],
      dropped: 0,
      open: new Set(),
      timer: clock.schedule(seconds * 1000, () => this.#onTimeUp(trace)),
    }
    this.#traces.set(name, trace)
    point.tracer = this
    return true
  }

  #onTimeUp(trace: Trace): void {
    const { clock } = this.#components
    if (trace.collector !== undefined) {
      this.#remove(trace)
    } else if (trace.phase === 'taking') {
      trace.phase = 'gathering'
      this.#endOpen(trace)
      this.#updatePoint()
      trace.timer = clock.schedule(GATHERING_MS, () => this.#onTimeUp(trace))
    } else if (trace.phase === 'gathering') {
      trace.phase = 'over'
      trace.timer = clock.schedule(READABLE_MS, () => this.#remove(trace))
    }
  }

  #remove(trace: Trace): void {
    trace.timer.cancel()
    this.#endOpen(trace)
    this.#traces.delete(trace.name)
    this.#updatePoint()
  }

  #endOpen({ open }: Trace): void {
    for (const span of [...open]) span.end(false)
  }

  #updatePoint(): void {
    const isTaking = [...this.#traces.values()].some(({ phase }) => phase === 'taking')
    if (isTaking) return
    this.#components.point.tracer = undefined
    this.#unsent.clear()
    this.#received.clear()
  }

  #wanting(topic: string): Trace[] {
    return [...this.#traces.values()].filter(
      ({ phase, filter }) => phase === 'taking' && topicMatches(filter, topic),
    )
  }

  #traced(traces: readonly Trace[], start: Omit<SpanStart, 'nodeId'>): TracedPublication {
    const { traceId, spanId } = start.context
    const newForward = (nodeId: NodeId, target: SharedTarget | undefined): OpenSpan => {
      const context = { traceId, spanId: this.#id(8) }
      const group =
        target === undefined ? {} : { 'grapevine.group': target.group, 'grapevine.filter': target.filter }
      const attributes = { 'grapevine.peer': nodeId, ...group }
      const span = this.#open(traces, { name: 'forward', context, parentSpanId: spanId, attributes })
      this.#unsent.set(context.spanId, span)
      return span
    }
    return new TracedPublication(this.#open(traces, start), newForward)
  }

  #open(traces: readonly Trace[], start: Omit<SpanStart, 'nodeId'>): OpenSpan {
    const { nodeId, clock, exporter } = this.#components
    const nowMs = (): number => this.#wallOffsetMs + clock.now()
    const span = new OpenSpan({ ...start, nodeId }, nowMs, finished => {
      this.#unsent.delete(finished.spanId)
      exporter?.export(finished)
      for (const trace of traces) {
        trace.open.delete(span)
        this.#deliver(trace, finished)
      }
    })
    for (const trace of traces) trace.open.add(span)
    return span
  }

  /** To whoever gathers the trace. */
  #deliver(trace: Trace, finished: FinishedSpan): void {
    if (trace.collector === undefined) return keep(trace, finished)
    const { nodeId: _, ...span } = finished
    this.#tell([trace.collector], { type: 'span', name: trace.name, span })
  }

  /** A frame that is not taken is lost: a trace is a look, not a record. */
  #tell(nodes: readonly NodeId[], message: TraceMessage): void {
    const frame = encodeTrace(frameKind.trace, message)
    if (frame === undefined) return
    for (const nodeId of nodes) this.#components.transport.send(nodeId, 'forward', frame)
  }

  #id(bytes: number): string {
    return Buffer.from(this.#components.random.bytes(bytes)).toString('hex')
  }
}

function keep(trace: Trace, span: FinishedSpan): void {
  if (trace.spans.length < limits.traceSpansMax) trace.spans.push(span)
  else trace.dropped++
}

function describe(topic: string, qos: number) {
  return {
    'messaging.system': 'mqtt',
    'messaging.destination.name': topic.slice(0, TOPIC_SHOWN_MAX),
    'messaging.mqtt.qos': qos,
  }
}
