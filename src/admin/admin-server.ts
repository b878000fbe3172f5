import type { AddressInfo } from 'node:net'
import swagger from '@fastify/swagger'
import fastify, { type FastifyInstance } from 'fastify'
import type { Logger } from '../core/ports/logger.ts'
import type { NodeControl } from '../core/ports/node-control.ts'
import type { NodeStatusSource } from '../core/ports/node-status.ts'
import type { RoutingControl } from '../core/ports/routing-control.ts'
import type { TraceControl } from '../core/ports/tracing.ts'
import { errorMessage, GrapevineError, systemErrorCode } from '../core/errors.ts'
import { createMetricsRegistry, type MetricsRegistry } from '../observability/metrics-registry.ts'
import { carriesToken } from './bearer-token.ts'
import { addControlRoutes } from './control-routes.ts'
import { addModeRoutes } from './mode-routes.ts'
import { answers, errorBody } from './route-schemas.ts'
import { addRoutingRoutes } from './routing-routes.ts'
import { addTraceRoutes } from './trace-routes.ts'
import {
  clusterStatusSchema,
  clusterStatusView,
  healthSchema,
  nodeStatusSchema,
  readinessSchema,
  readinessView,
} from './status-schemas.ts'

export interface AdminServerOptions {
  readonly host: string
  /** 0 takes a free port. */
  readonly port: number
  /** When set, everything but `/health` needs it. */
  readonly token?: string | undefined
  readonly source: NodeStatusSource
  readonly control: NodeControl
  readonly routing: RoutingControl
  readonly tracing: TraceControl
  readonly logger: Logger
}

export interface AdminServer {
  /** Base URL with the actual port. */
  readonly url: string
  /** Ends open requests and stops. Idempotent. */
  close(): Promise<void>
}

const REQUEST_TIMEOUT_MS = 10_000
/** A percent-encoded client id is longer than the framework expects of a part of a path. */
const PATH_PART_LENGTH_MAX = 4096
/** Of the interface, not of the software. */
const API_VERSION = '1'

/** Serves a node's admin interface. Rejects with PORT_IN_USE or ADDRESS_UNAVAILABLE. */
export async function createAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const app = fastify({
    logger: false,
    forceCloseConnections: true,
    requestTimeout: REQUEST_TIMEOUT_MS,
    exposeHeadRoutes: true,
    routerOptions: { maxParamLength: PATH_PART_LENGTH_MAX },
    // What the schemas do not know is a mistake, not something to drop silently.
    ajv: { customOptions: { removeAdditional: false } },
  })
  const metrics = createMetricsRegistry(options.source)
  const close = async (): Promise<void> => {
    metrics.close()
    await app.close()
  }
  try {
    guard(app, options)
    await app.register(swagger, {
      openapi: {
        openapi: '3.0.3',
        info: { title: 'Grapevine admin interface', version: API_VERSION },
        components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
        security: options.token === undefined ? [] : [{ token: [] }],
      },
    })
    const nodeId = (): string => options.source.clusterStatus().nodeId
    app.after(() => {
      addRoutes(app, options.source, metrics)
      addControlRoutes(app, options.source, options.control)
      addModeRoutes(app, options.source, options.control)
      addRoutingRoutes(app, nodeId, options.routing)
      addTraceRoutes(app, nodeId, options.routing, options.tracing)
    })
    await app.listen({ host: options.host, port: options.port })
  } catch (error) {
    await close()
    throw listenError(error, options)
  }
  return { url: urlOf(app), close }
}

/** Tokens, no orders from web pages, and one shape for every error. */
function guard(app: FastifyInstance, { token, logger }: AdminServerOptions): void {
  // A page of another site may send forms and texts without asking first, but not JSON.
  app.removeContentTypeParser('text/plain')
  app.addHook('onRequest', async (request, reply) => {
    if (request.method === 'GET' || request.method === 'HEAD' || request.headers.origin === undefined) return
    await reply
      .code(403)
      .send(errorBody('FORBIDDEN', 'orders are not taken from web pages (the request has an Origin header)'))
  })
  app.addHook('onRequest', async (request, reply) => {
    if (token === undefined || request.routeOptions.url === '/health') return
    if (carriesToken(request.headers.authorization, token)) return
    await reply
      .code(401)
      .header('www-authenticate', 'Bearer')
      .send(errorBody('UNAUTHORIZED', 'this node needs "Authorization: Bearer <admin.token>"'))
  })
  app.setNotFoundHandler((request, reply) =>
    reply
      .code(404)
      .send(errorBody('NOT_FOUND', `there is no ${request.method} ${request.url.split('?')[0] ?? ''} here`)),
  )
  app.setErrorHandler((error, request, reply) => {
    const { statusCode, message } = error as { statusCode?: number; message?: string }
    if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
      return reply.code(statusCode).send(errorBody('BAD_REQUEST', message ?? 'bad request'))
    }
    if (error instanceof GrapevineError && error.code === 'COORDINATION_UNAVAILABLE') {
      return reply.code(503).send(errorBody(error.code, error.message))
    }
    logger.error('admin request failed', { url: request.url, error: message ?? String(error) })
    return reply.code(500).send(errorBody('INTERNAL', 'the node could not answer; its log says why'))
  })
}

function addRoutes(app: FastifyInstance, source: NodeStatusSource, metrics: MetricsRegistry): void {
  app.get(
    '/health',
    { schema: { summary: 'Is the process alive?', security: [], response: answers({ 200: healthSchema }) } },
    () => ({ status: 'ok' }),
  )
  app.get(
    '/ready',
    {
      schema: {
        summary: 'May clients connect?',
        response: answers({ 200: readinessSchema, 503: readinessSchema }),
      },
    },
    (_request, reply) => {
      const readiness = readinessView(source.readiness())
      return reply.code(readiness.ready ? 200 : 503).send(readiness)
    },
  )
  app.get(
    '/cluster/status',
    {
      schema: {
        summary: 'The cluster as this node sees it',
        response: answers({ 200: clusterStatusSchema }),
      },
    },
    () => clusterStatusView(source.clusterStatus()),
  )
  app.get('/metrics', { schema: { summary: 'Metrics in Prometheus text format' } }, async (_request, reply) =>
    reply.type(metrics.contentType).send(await metrics.text()),
  )
  app.get(
    '/api/v1/status',
    { schema: { summary: 'Readiness and cluster in one', response: answers({ 200: nodeStatusSchema }) } },
    () => ({ ...readinessView(source.readiness()), cluster: clusterStatusView(source.clusterStatus()) }),
  )
  app.get('/api/v1/openapi.json', { schema: { summary: 'This document' } }, () => app.swagger())
}

function urlOf(app: FastifyInstance): string {
  const { address, port, family } = app.server.address() as AddressInfo
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}

function listenError(error: unknown, { host, port }: AdminServerOptions): unknown {
  const code = systemErrorCode(error)
  if (code === 'EADDRINUSE') {
    return new GrapevineError(
      'PORT_IN_USE',
      `port ${port} on ${host} is taken, so the admin interface cannot listen; stop what uses it or choose another with --admin.port`,
      { cause: error },
    )
  }
  if (code === 'EADDRNOTAVAIL' || code === 'EACCES' || code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return new GrapevineError(
      'ADDRESS_UNAVAILABLE',
      `the admin interface cannot listen on ${host}:${port} (${errorMessage(error)}); choose others with --admin.host and --admin.port`,
      { cause: error },
    )
  }
  return error
}
