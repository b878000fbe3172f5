import { z } from 'zod'
import { limits } from '../core/limits.ts'
import type {
  DrainStatus,
  LeaderCensus,
  LeaderDutyCounts,
  LeaderStatus,
  LocalSession,
  SessionDetails,
  SessionPage,
} from '../core/ports/node-control.ts'
import type { ClusterStatus } from '../core/ports/node-status.ts'
import { memberSchema } from './status-schemas.ts'

const PAGE_SESSIONS_MAX = 1000
const PAGE_SESSIONS_DEFAULT = 100
const RATE_MAX = 1_000_000
const NODE_ID_LENGTH_MAX = 64
const RATE_DEFAULT = 100

const timeSchema = z.number().describe('Unix time in milliseconds.')

export const nodesSchema = z
  .object({
    cluster: z.string(),
    nodeId: z.string().describe('The node that answers.'),
    nodes: z.array(memberSchema),
  })
  .describe('The members of the cluster as the answering node sees them.')

export const nodePathSchema = z.strictObject({
  nodeId: z.string().min(1).max(NODE_ID_LENGTH_MAX).describe('The node, as its configuration named it.'),
})

export const forgottenSchema = z
  .object({
    nodeId: z.string().describe('The node that answers.'),
    forgotten: z.string().describe('The node that was given up.'),
  })
  .describe('Nothing is kept any more for a node that is gone.')

export const leaderSchema = z
  .object({
    nodeId: z.string().describe('The node that answers.'),
    leader: z.string().nullable().describe('Who leads; null while nobody does.'),
    term: z.number().nullable().describe('Rises with every change of leader.'),
    sinceMs: timeSchema
      .nullable()
      .describe('When the answering node learned of it, Unix time in milliseconds.'),
    previous: z
      .array(z.object({ leader: z.string(), term: z.number(), sinceMs: timeSchema, untilMs: timeSchema }))
      .describe('Terms before that the answering node saw, oldest first.'),
    duties: z
      .object({
        bucketsRead: z.number().describe('Parts of the session records read; a whole pass has 4096.'),
        sessionsEnded: z.number().describe('Ended sessions of dead nodes whose records were deleted.'),
        willsPublished: z.number().describe('Wills of clients of dead nodes, repeats included.'),
        willsLeftOut: z.number().describe('Those too large to be kept.'),
        keysDeleted: z.number().describe('Keys nobody needed any more.'),
        compactions: z.number(),
        compactionsFailed: z.number(),
      })
      .describe('What the answering node did as leader, in all its terms, since its start.'),
    census: z
      .object({
        sessions: z
          .array(z.object({ nodeId: z.string(), sessions: z.number() }))
          .nullable()
          .describe('Session records by node, live or not; null until they were counted once.'),
        countedAtMs: timeSchema.nullable().describe('When they were, Unix time in milliseconds.'),
        store: z
          .object({
            sizeBytes: z.number().describe('On disk, history included.'),
            sizeInUseBytes: z.number(),
            quotaBytes: z
              .number()
              .nullable()
              .describe('At which it refuses writes; null without such a bound.'),
            alarm: z.string().nullable().describe('Why it takes no writes; null while it takes them.'),
            version: z.string(),
          })
          .nullable()
          .describe('The coordination store; null until it was asked.'),
        dead: z
          .array(z.object({ nodeId: z.string(), incarnation: z.number(), atMs: timeSchema }))
          .describe('Dead nodes whose sessions, wills or keys are not all dealt with, and since when.'),
      })
      .nullable()
      .describe('What the leader found in the coordination store; null unless the answering node leads.'),
  })
  .describe('Who leads the cluster.')

export const localSessionSchema = z
  .object({
    clientId: z.string(),
    connected: z.boolean(),
    remote: z.string().nullable().describe('Address and port of the client; null while it is not connected.'),
    subscriptions: z.number(),
    queued: z.number().describe('Messages at QoS ≥ 1 for the client, those in flight included.'),
    inflight: z.number().describe('Messages at QoS ≥ 1 sent and not acknowledged.'),
    expiryIntervalSeconds: z.number().describe('How long it outlives its connection; 0 ends with it.'),
    disconnectedAtMs: timeSchema.nullable(),
  })
  .describe('A session as the node that holds it knows it.')

export const sessionPageSchema = z
  .object({
    nodeId: z.string().describe('The node that answers, whose sessions these are.'),
    sessions: z.array(localSessionSchema),
    next: z
      .string()
      .nullable()
      .describe(
        'Pass it as `next` for the next page, once; null: this was the last. Pages may be short or empty.',
      ),
  })
  .describe('Sessions of the answering node.')

export const sessionDetailsSchema = z
  .object({
    nodeId: z.string().describe('The node that answers.'),
    clientId: z.string(),
    owner: z
      .object({
        nodeId: z.string(),
        incarnation: z.number(),
        live: z.boolean().describe('Whether that life of the node is a member now.'),
        adminUrl: z
          .string()
          .nullable()
          .describe('Where to ask for `local`; null when the node is no member.'),
        token: z
          .object({ epoch: z.number(), revision: z.number() })
          .describe('Fencing token: rises with every change of owner.'),
        how: z.string().describe('How it came there: new, reconnect, moved, clean, owner-lost, reclaimed.'),
        from: z.string().nullable().describe('The owner before, if that was another node.'),
        sinceMs: z.number().describe('When the owner last changed, Unix time in milliseconds.'),
        expiryIntervalSeconds: z.number().describe('How long it outlives its connection, as last recorded.'),
        recordBytes: z.number().describe('Key and value of its record in the coordination store.'),
      })
      .nullable()
      .describe('Who owns the client id, as the coordination store has it; null: nobody.'),
    local: localSessionSchema.nullable().describe('Its details, when the answering node holds it.'),
  })
  .describe('One session, wherever it is.')

export const drainStatusSchema = z
  .object({
    nodeId: z.string().describe('The node that answers.'),
    state: z
      .enum(['idle', 'draining', 'drained'])
      .describe('idle: takes clients; drained: nothing is left to hand over, the node may be stopped.'),
    sinceMs: timeSchema.nullable(),
    ratePerSecond: z.number().nullable(),
    connections: z.number().describe('Clients connected now.'),
    sessions: z.number().describe('Sessions held now.'),
    targets: z.array(z.string()).describe('Members that can take sessions.'),
    clientsAsked: z.number().describe('Clients asked to go, since the start.'),
    sessionsMoved: z.number().describe('Sessions handed over without their client, since the start.'),
    offersRefused: z.number().describe('Offers of sessions that were not taken; each is made again.'),
    messagesForMembers: z.number().describe('Messages taken here that other members have not accepted yet.'),
    messagesForGone: z.number().describe('Messages kept on the disk of this node for nodes that are gone.'),
    waitingFor: z.string().nullable().describe('What keeps it from going on, for people.'),
  })
  .describe('How far a drain has come.')

export const drainRequestSchema = z.strictObject({
  ratePerSecond: z
    .int()
    .min(1)
    .max(RATE_MAX)
    .default(RATE_DEFAULT)
    .describe('Connected clients asked to go per second.'),
  force: z
    .boolean()
    .default(false)
    .describe('Also when no other member is ready: sessions then stay on the disk of this node.'),
})

export const sessionsQuerySchema = z.strictObject({
  prefix: z.string().max(limits.clientIdBytesMax).default('').describe('Client ids that start with it.'),
  connected: z.boolean().optional().describe('Only those connected, or only those not.'),
  limit: z.int().min(1).max(PAGE_SESSIONS_MAX).default(PAGE_SESSIONS_DEFAULT).describe('Most in one page.'),
  next: z.string().max(64).optional().describe('The next page of a listing; its other parameters are kept.'),
})

const clientIdSchema = z.string().min(1).describe('Any client id, percent-encoded.')
export const sessionPathSchema = z.strictObject({ clientId: clientIdSchema })

export type NodesView = z.output<typeof nodesSchema>
export type ForgottenView = z.output<typeof forgottenSchema>
export type LeaderView = z.output<typeof leaderSchema>
export type LocalSessionView = z.output<typeof localSessionSchema>
export type SessionPageView = z.output<typeof sessionPageSchema>
export type SessionDetailsView = z.output<typeof sessionDetailsSchema>
export type DrainStatusView = z.output<typeof drainStatusSchema>
export type DrainRequest = z.output<typeof drainRequestSchema>
export type SessionsQuery = z.output<typeof sessionsQuerySchema>

export function nodesView({ cluster, nodeId, members }: ClusterStatus): NodesView {
  return { cluster, nodeId, nodes: [...members] }
}

export function leaderView(
  nodeId: string,
  { leader, term, sinceMs, previous }: LeaderStatus,
  duties: LeaderDutyCounts,
  census: LeaderCensus | undefined,
): LeaderView {
  return {
    nodeId,
    leader: leader ?? null,
    term: term ?? null,
    sinceMs: sinceMs ?? null,
    previous: previous.map(past => ({ ...past })),
    duties: { ...duties },
    census: census === undefined ? null : censusView(census),
  }
}

function censusView({ sessionsOfNode, countedAtMs, store, dead }: LeaderCensus): LeaderView['census'] {
  const counts = sessionsOfNode && Array.from(sessionsOfNode, ([nodeId, sessions]) => ({ nodeId, sessions }))
  return {
    sessions: counts?.sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1)) ?? null,
    countedAtMs: countedAtMs ?? null,
    store:
      store === undefined
        ? null
        : { ...store, quotaBytes: store.quotaBytes ?? null, alarm: store.alarm ?? null },
    dead: dead.map(life => ({ ...life })),
  }
}

export function sessionPageView(nodeId: string, { sessions, next }: SessionPage): SessionPageView {
  return { nodeId, sessions: sessions.map(localSessionView), next: next ?? null }
}

export function sessionDetailsView(
  nodeId: string,
  { clientId, owner, local }: SessionDetails,
): SessionDetailsView {
  return {
    nodeId,
    clientId,
    owner:
      owner === undefined
        ? null
        : {
            nodeId: owner.nodeId,
            incarnation: owner.incarnation,
            live: owner.isLive,
            adminUrl: owner.adminUrl ?? null,
            token: owner.token,
            how: owner.how,
            from: owner.from ?? null,
            sinceMs: owner.sinceMs,
            expiryIntervalSeconds: owner.expiryIntervalSeconds,
            recordBytes: owner.recordBytes,
          },
    local: local === undefined ? null : localSessionView(local),
  }
}

export function drainStatusView(nodeId: string, status: DrainStatus): DrainStatusView {
  return {
    ...status,
    nodeId,
    targets: [...status.targets],
    sinceMs: status.sinceMs ?? null,
    ratePerSecond: status.ratePerSecond ?? null,
    waitingFor: status.waitingFor ?? null,
  }
}

function localSessionView(session: LocalSession): LocalSessionView {
  return {
    ...session,
    remote: session.remote ?? null,
    disconnectedAtMs: session.disconnectedAtMs ?? null,
  }
}
