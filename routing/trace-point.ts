import type { PublishTracer } from './publish-tracer.ts'
import type { TracedPublication } from './traced-publication.ts'

/**
 * Where routing looks whether something is traced: a field read per publication, and undefined unless an operator traces.
 * One per node, shared by everything that handles publications.
 */
export class TracePoint {
  /** While some trace is under way at this node. */
  tracer: PublishTracer | undefined = undefined
  /** The publication being routed or delivered in this very call, when it is traced. */
  current: TracedPublication | undefined = undefined
}
