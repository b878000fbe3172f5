import type { FastifyInstance } from 'fastify'
import type { RoutingControl } from '../core/ports/routing-control.ts'
import type { TraceControl } from '../core/ports/tracing.ts'
import { answers, errorBody, jsonSchema } from './route-schemas.ts'
import {
  tracePageSchema,
  tracePageView,
  tracePathSchema,
  traceQuerySchema,
  traceRequestSchema,
  traceStartedSchema,
  type TraceQuery,
  type TraceStart,
} from './trace-schemas.ts'

interface TraceName {
  readonly name: string
}

const UNKNOWN = errorBody('TRACE_UNKNOWN', 'there is no such trace here; it may have been over for long')

/** Following real messages through the cluster for a while. */
export function addTraceRoutes(
  app: FastifyInstance,
  nodeId: () => string,
  routing: Pick<RoutingControl, 'filterFault'>,
  tracing: TraceControl,
): void {
  app.post<{ Body: TraceStart }>(
    '/api/v1/traces',
    {
      schema: {
        summary: 'Follow the messages whose topics match a filter, at all nodes, for a while',
        body: jsonSchema(traceRequestSchema),
        response: answers({ 201: traceStartedSchema }),
      },
    },
    ({ body }, reply) => {
      const fault = routing.filterFault(body.filter)
      if (fault !== undefined) return reply.code(400).send(errorBody('TOPIC_INVALID', `the filter ${fault}`))
      const name = tracing.start(body)
      return name === undefined
        ? reply
            .code(409)
            .send(errorBody('TRACES_TOO_MANY', 'too many traces are under way; wait until one is over'))
        : reply.code(201).send({ nodeId: nodeId(), name })
    },
  )
  app.get<{ Params: TraceName; Querystring: TraceQuery }>(
    '/api/v1/traces/:name',
    {
      schema: {
        summary: 'What a trace begun at this node has found',
        params: jsonSchema(tracePathSchema),
        querystring: jsonSchema(traceQuerySchema),
        response: answers({ 200: tracePageSchema }),
      },
    },
    ({ params: { name }, query: { from } }, reply) => {
      const page = tracing.read(name, from)
      return page === undefined ? reply.code(404).send(UNKNOWN) : tracePageView(nodeId(), name, page)
    },
  )
  app.delete<{ Params: TraceName }>(
    '/api/v1/traces/:name',
    {
      schema: {
        summary: 'End a trace',
        params: jsonSchema(tracePathSchema),
        response: answers({ 200: traceStartedSchema }),
      },
    },
    ({ params: { name } }, reply) =>
      tracing.stop(name) ? { nodeId: nodeId(), name } : reply.code(404).send(UNKNOWN),
  )
}
