import type {
  DrainRequest,
  DrainStatusView,
  ForgottenView,
  LeaderView,
  NodesView,
  SessionDetailsView,
  SessionPageView,
} from '../admin/control-schemas.ts'
import type { ExplanationView, HoldersView, RoutesView } from '../admin/routing-schemas.ts'
import type { TracePageView, TraceStart, TraceStartedView } from '../admin/trace-schemas.ts'
import { GrapevineError } from '../core/errors.ts'
import type { AdminClient } from './admin-client.ts'

/** Which sessions of a node to list; undefined: all, from the beginning. */
export interface SessionFilter {
  readonly prefix: string | undefined
  readonly connected: boolean | undefined
  readonly limit: number
  /** Continues a listing; the filters are those it began with. */
  readonly next: string | undefined
}

export function fetchNodes(client: AdminClient): Promise<NodesView> {
  return client.ask({ path: '/api/v1/nodes', mark: 'nodes' })
}

export function forgetNode(client: AdminClient, nodeId: string): Promise<ForgottenView> {
  const path = `/api/v1/nodes/${encodeURIComponent(nodeId)}`
  return client.ask({ path, method: 'DELETE', mark: 'forgotten' })
}

export function fetchLeader(client: AdminClient): Promise<LeaderView> {
  return client.ask({ path: '/api/v1/leader', mark: 'previous' })
}

export function fetchSessions(client: AdminClient, filter: SessionFilter): Promise<SessionPageView> {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(filter)) {
    if (value !== undefined) query.set(name, String(value))
  }
  return client.ask({ path: `/api/v1/sessions?${query}`, mark: 'sessions' })
}

export function fetchSession(client: AdminClient, clientId: string): Promise<SessionDetailsView> {
  return client.ask({ path: `/api/v1/session?${new URLSearchParams({ clientId })}`, mark: 'owner' })
}

export function fetchDrain(client: AdminClient): Promise<DrainStatusView> {
  return client.ask({ path: '/api/v1/drain', mark: 'state' })
}

export function startDrain(client: AdminClient, body: DrainRequest): Promise<DrainStatusView> {
  return client.ask({ path: '/api/v1/drain', method: 'POST', body, mark: 'state' })
}

export function cancelDrain(client: AdminClient): Promise<DrainStatusView> {
  return client.ask({ path: '/api/v1/drain', method: 'DELETE', mark: 'state' })
}

export function fetchExplanation(
  client: AdminClient,
  question: { readonly topic: string; readonly qos: string; readonly publisher: string },
): Promise<ExplanationView> {
  return client.ask({ path: `/api/v1/explain?${new URLSearchParams(question)}`, mark: 'waitsFor' })
}

/** Patterns from `offset` on, of one node or, undefined, of all. */
export function fetchRoutes(
  client: AdminClient,
  node: string | undefined,
  offset: number,
  limit: number,
): Promise<RoutesView> {
  const query = new URLSearchParams({ offset: String(offset), limit: String(limit) })
  if (node !== undefined) query.set('node', node)
  return client.ask({ path: `/api/v1/routes?${query}`, mark: 'patterns' })
}

export function fetchHolders(client: AdminClient, filter: string): Promise<HoldersView> {
  return client.ask({ path: `/api/v1/routes/holders?${new URLSearchParams({ filter })}`, mark: 'holders' })
}

export function startTrace(client: AdminClient, body: TraceStart): Promise<TraceStartedView> {
  return client.ask({ path: '/api/v1/traces', method: 'POST', body, mark: 'name' })
}

/** What came after the first `from` spans. */
export function readTrace(client: AdminClient, name: string, from: number): Promise<TracePageView> {
  return client.ask({ path: `/api/v1/traces/${name}?from=${from}`, mark: 'spans' })
}

export function stopTrace(client: AdminClient, name: string): Promise<TraceStartedView> {
  return client.ask({ path: `/api/v1/traces/${name}`, method: 'DELETE', mark: 'name' })
}

/** The named member's own admin interface, found through any other's. Throws NODE_UNKNOWN. */
export async function clientOf(client: AdminClient, nodeId: string): Promise<AdminClient> {
  const { nodes, cluster } = await fetchNodes(client)
  const member = nodes.find(node => node.nodeId === nodeId)
  if (member === undefined) {
    const names = nodes.map(node => node.nodeId).join(', ')
    throw new GrapevineError(
      'NODE_UNKNOWN',
      `cluster ${cluster} has no member ${nodeId}; its members are ${names}`,
    )
  }
  return member.self ? client : client.at(member.adminUrl)
}
