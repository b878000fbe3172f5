import { z } from 'zod'
import type { ClusterStatus, ReadinessCheck } from '../core/ports/node-status.ts'

const readinessCheckSchema = z.object({
  name: z.string().describe('What is checked.'),
  ok: z.boolean(),
  detail: z.string().describe('What is the case and, when not ok, what is missing.'),
})

export const healthSchema = z.object({ status: z.literal('ok') }).describe('The process is alive.')

export const readinessSchema = z
  .object({
    ready: z.boolean().describe('Whether clients may connect.'),
    checks: z.array(readinessCheckSchema),
  })
  .describe('Whether the node serves, and what is missing if not.')

export const memberSchema = z.object({
  nodeId: z.string(),
  incarnation: z.number().describe('One life of the node; a later one is higher.'),
  state: z.enum(['joining', 'ready', 'draining']),
  leader: z.boolean(),
  self: z.boolean().describe('Whether this is the node that answers.'),
  linkUp: z.boolean().describe('Whether the answering node can exchange frames with it.'),
  interestKnown: z.boolean().describe('Whether the answering node knows all its subscriptions.'),
  filters: z.number().describe('Distinct topic filters of its clients.'),
  version: z.string(),
  mqttAddress: z.string().describe('host:port for clients.'),
  adminUrl: z.string(),
  startedAtMs: z.number().describe('Unix time in milliseconds.'),
  load: z
    .object({ connections: z.number(), sessions: z.number() })
    .nullable()
    .describe('Clients connected and sessions held, as the member last said; null when it has not.'),
  suspended: z.boolean().describe('Whether it cannot hold its lease, as far as the answering node knows.'),
  health: z.string().nullable().describe('What ails it, as it last said; null when nothing does.'),
})

const eventSchema = z.object({
  atMs: z.number().describe('Unix time in milliseconds.'),
  event: z.string(),
  nodeId: z.string(),
  detail: z.string(),
})

export const clusterStatusSchema = z
  .object({
    cluster: z.string(),
    nodeId: z.string().describe('The node that answers.'),
    coordination: z.enum(['embedded', 'etcd']),
    suspended: z.boolean().describe('Whether the answering node cannot hold its lease.'),
    leader: z.string().nullable(),
    members: z.array(memberSchema),
    local: z
      .object({
        connections: z.number(),
        sessions: z.number(),
        queued: z.number().describe('Messages at QoS ≥ 1 for these clients, those in flight included.'),
        subscriptions: z.number(),
        filters: z.number(),
      })
      .describe('Clients of the answering node.'),
    events: z.array(eventSchema).describe('The latest events of the cluster, oldest first.'),
  })
  .describe('The cluster as the answering node sees it.')

export const nodeStatusSchema = z
  .object({ ready: z.boolean(), checks: z.array(readinessCheckSchema), cluster: clusterStatusSchema })
  .describe('Readiness and cluster in one.')

export const errorSchema = z
  .object({ error: z.object({ code: z.string(), message: z.string() }) })
  .describe('What went wrong.')

/** The answer of `/ready`. */
export type ReadinessView = z.output<typeof readinessSchema>
/** The answer of `/cluster/status`. */
export type ClusterStatusView = z.output<typeof clusterStatusSchema>
/** The answer of `/api/v1/status`. */
export type NodeStatusView = z.output<typeof nodeStatusSchema>

export function readinessView(checks: readonly ReadinessCheck[]): ReadinessView {
  return { ready: checks.every(check => check.ok), checks: [...checks] }
}

export function clusterStatusView(status: ClusterStatus): ClusterStatusView {
  return {
    ...status,
    leader: status.leader ?? null,
    members: [...status.members],
    events: [...status.events],
  }
}
