import type { FastifyInstance } from 'fastify'
import type { RoutingControl } from '../core/ports/routing-control.ts'
import type { QoS } from '../core/qos.ts'
import { answers, errorBody, jsonSchema } from './route-schemas.ts'
import {
  explainQuerySchema,
  explanationSchema,
  explanationView,
  holdersQuerySchema,
  holdersSchema,
  holdersView,
  routesQuerySchema,
  routesSchema,
  routesView,
  type ExplainParameters,
  type HoldersParameters,
  type RoutesParameters,
} from './routing-schemas.ts'

/** What an operator asks about routes, without changing any: where a topic would go, and who is interested in what. */
export function addRoutingRoutes(app: FastifyInstance, nodeId: () => string, routing: RoutingControl): void {
  app.get<{ Querystring: ExplainParameters }>(
    '/api/v1/explain',
    {
      schema: {
        summary: 'Where a message would go, and why; nothing is published',
        querystring: jsonSchema(explainQuerySchema),
        response: answers({ 200: explanationSchema }),
      },
    },
    ({ query: { topic, qos, publisher } }, reply) => {
      const fault = routing.topicFault(topic)
      if (fault !== undefined) return reply.code(400).send(errorBody('TOPIC_INVALID', `the topic ${fault}`))
      return explanationView(nodeId(), routing.explain({ topic, qos: Number(qos) as QoS, publisher }))
    },
  )
  app.get<{ Querystring: RoutesParameters }>(
    '/api/v1/routes',
    {
      schema: {
        summary: 'What is known of the interest of each node, and its filters with wildcards in pages',
        querystring: jsonSchema(routesQuerySchema),
        response: answers({ 200: routesSchema }),
      },
    },
    ({ query: { node, offset, limit } }) =>
      routesView(nodeId(), offset, routing.routes({ nodeId: node, offset, limit })),
  )
  app.get<{ Querystring: HoldersParameters }>(
    '/api/v1/routes/holders',
    {
      schema: {
        summary: 'Which nodes have exactly one filter',
        querystring: jsonSchema(holdersQuerySchema),
        response: answers({ 200: holdersSchema }),
      },
    },
    ({ query: { filter } }, reply) => {
      const fault = routing.filterFault(filter)
      if (fault !== undefined) return reply.code(400).send(errorBody('TOPIC_INVALID', `the filter ${fault}`))
      return holdersView(nodeId(), filter, routing.holders(filter))
    },
  )
}
