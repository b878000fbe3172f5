import type { AddressInfo } from 'node:net'
import swagger from '@fastify/swagger'
import fastify, { type FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { Logger } from '../core/ports/logger.ts'
import type { NodeStatusSource } from '../core/ports/node-status.ts'
import { errorMessage, GrapevineError, systemErrorCode } from '../core/errors.ts'
import { createMetricsRegistry, type MetricsRegistry } from '../observability/metrics-registry.ts'
import { carriesToken } from './bearer-token.ts'
import {
  clusterStatusSchema,
  clusterStatusView,
  errorSchema,
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
  readonly logger: Logger
}

export interface AdminServer {
  /** Base URL with the actual port. */
  readonly url: string
  /** Ends open requests and stops. Idempotent. */
  close(): Promise<void>
}

const REQUEST_TIMEOUT_MS = 10_000
/** Of the interface, not of the software. */
const API_VERSION = '1'

/** Serves a node's admin interface. Rejects with PORT_IN_USE or ADDRESS_UNAVAILABLE. */
export async function createAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const app = fastify({
    logger: false,
    forceCloseConnections: true,
    requestTimeout: REQUEST_TIMEOUT_MS,
    exposeHeadRoutes: true,
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
    app.after(() => addRoutes(app, options.source, metrics))
    await app.listen({ host: options.host, port: options.port })
  } catch (error) {
    await close()
    throw listenError(error, options)
  }
  return { url: urlOf(app), close }
}

/** Tokens, and one shape for every error. */
function guard(app: FastifyInstance, { token, logger }: AdminServerOptions): void {
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
    logger.error('admin request failed', { url: request.url, error: message ?? String(error) })
    return reply.code(500).send(errorBody('INTERNAL', 'the node could not answer; its log says why'))
  })
}

function errorBody(code: string, message: string): z.output<typeof errorSchema> {
  return { error: { code, message } }
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

/** Response schemas by status, from zod. Every route may also answer with an error. */
function answers(byStatus: Readonly<Record<number, z.ZodType>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries({ ...byStatus, '4xx': errorSchema }).map(([status, schema]) => [
      status,
      z.toJSONSchema(schema, { target: 'openapi-3.0' }),
    ]),
  )
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
