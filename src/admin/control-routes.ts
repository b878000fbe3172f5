import type { FastifyInstance } from 'fastify'
import type { NodeControl } from '../core/ports/node-control.ts'
import type { NodeStatusSource } from '../core/ports/node-status.ts'
import {
  drainRequestSchema,
  drainStatusSchema,
  drainStatusView,
  leaderSchema,
  leaderView,
  forgottenSchema,
  nodePathSchema,
  nodesSchema,
  nodesView,
  sessionDetailsSchema,
  sessionDetailsView,
  sessionPageSchema,
  sessionPageView,
  sessionPathSchema,
  sessionsQuerySchema,
  type DrainRequest,
  type SessionDetailsView,
  type SessionsQuery,
} from './control-schemas.ts'
import { answers, errorBody, jsonSchema } from './route-schemas.ts'

interface NodeIdParameter {
  readonly nodeId: string
}

interface ClientIdParameter {
  readonly clientId: string
}

const REFUSALS = {
  'not-serving': 'this node does not serve clients yet, or stops; ask again when /ready says it is ready',
  alone:
    'no other member is ready, so the sessions of this node would have nowhere to go; start or mend another node first, or force it and leave them on this disk',
} as const

const FORGET_REFUSALS = {
  member: 'that node is a member, or is becoming one just now; stop it first, drained if it holds sessions',
  unknown: 'the cluster has no memory of such a node, and the asked one keeps nothing for it; see the name',
} as const

/** What an operator looks up and does beside status: nodes, leader, sessions, drain. */
export function addControlRoutes(app: FastifyInstance, source: NodeStatusSource, control: NodeControl): void {
  const nodeId = (): string => source.clusterStatus().nodeId
  app.get(
    '/api/v1/nodes',
    { schema: { summary: 'The members of the cluster', response: answers({ 200: nodesSchema }) } },
    () => nodesView(source.clusterStatus()),
  )
  app.delete<{ Params: NodeIdParameter }>(
    '/api/v1/nodes/:nodeId',
    {
      schema: {
        summary: 'Give up, on all members, what is kept for a node that is gone and will not return',
        params: jsonSchema(nodePathSchema),
        response: answers({ 200: forgottenSchema }),
      },
    },
    async ({ params }, reply) => {
      const outcome = await control.forgetNode(params.nodeId)
      if (outcome === 'forgotten') return { nodeId: nodeId(), forgotten: params.nodeId }
      return outcome === 'member'
        ? reply.code(409).send(errorBody('NODE_LIVE', FORGET_REFUSALS.member))
        : reply.code(404).send(errorBody('NODE_UNKNOWN', FORGET_REFUSALS.unknown))
    },
  )
  app.get(
    '/api/v1/leader',
    { schema: { summary: 'Who leads the cluster', response: answers({ 200: leaderSchema }) } },
    () => leaderView(nodeId(), control.leader(), control.leaderDuties(), control.census()),
  )
  addSessionRoutes(app, control, nodeId)
  addDrainRoutes(app, control, nodeId)
}

function addSessionRoutes(app: FastifyInstance, control: NodeControl, nodeId: () => string): void {
  app.get<{ Querystring: SessionsQuery }>(
    '/api/v1/sessions',
    {
      schema: {
        summary: 'Sessions of this node, in pages',
        querystring: jsonSchema(sessionsQuerySchema),
        response: answers({ 200: sessionPageSchema }),
      },
    },
    ({ query: { next, prefix, connected, limit } }, reply) => {
      const page =
        next === undefined ? control.sessions({ prefix, connected, limit }) : control.moreSessions(next)
      if (page !== undefined) return sessionPageView(nodeId(), page)
      return reply
        .code(404)
        .send(errorBody('PAGE_UNKNOWN', 'there is no such page, or it was read before; begin a new listing'))
    },
  )
  const details = async (clientId: string): Promise<SessionDetailsView> =>
    sessionDetailsView(nodeId(), await control.session(clientId))
  app.get<{ Params: ClientIdParameter }>(
    '/api/v1/sessions/:clientId',
    {
      schema: {
        summary: 'One session, on whatever node it is',
        params: jsonSchema(sessionPathSchema),
        response: answers({ 200: sessionDetailsSchema }),
      },
    },
    ({ params: { clientId } }) => details(clientId),
  )
  app.get<{ Querystring: ClientIdParameter }>(
    '/api/v1/session',
    {
      schema: {
        summary: 'The same, also for client ids that no path can carry ("." and "..")',
        querystring: jsonSchema(sessionPathSchema),
        response: answers({ 200: sessionDetailsSchema }),
      },
    },
    ({ query: { clientId } }) => details(clientId),
  )
}

function addDrainRoutes(app: FastifyInstance, control: NodeControl, nodeId: () => string): void {
  const response = answers({ 200: drainStatusSchema })
  app.get('/api/v1/drain', { schema: { summary: 'How far a drain of this node has come', response } }, () =>
    drainStatusView(nodeId(), control.drainStatus()),
  )
  app.post<{ Body: DrainRequest }>(
    '/api/v1/drain',
    {
      schema: {
        summary: 'Send the clients and sessions of this node to the others; answers at once',
        body: jsonSchema(drainRequestSchema),
        response: answers({ 202: drainStatusSchema }),
      },
    },
    ({ body: { ratePerSecond, force } }, reply) => {
      const answer = control.drain({ ratePerSecond, isForced: force })
      return answer.isStarted
        ? reply.code(202).send(drainStatusView(nodeId(), answer.status))
        : reply.code(409).send(errorBody('DRAIN_REFUSED', REFUSALS[answer.refusal]))
    },
  )
  app.delete('/api/v1/drain', { schema: { summary: 'Take clients again', response } }, () =>
    drainStatusView(nodeId(), control.cancelDrain()),
  )
}
