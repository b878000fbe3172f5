import { z } from 'zod'
import type {
  Explanation,
  FilterHolder,
  NodeRoutes,
  PeerRoute,
  RouteTable,
} from '../core/ports/routing-control.ts'

const PAGE_PATTERNS_MAX = 1000
const PAGE_PATTERNS_DEFAULT = 100
const TEXT_MAX = 65_535

const qosSchema = z.union([z.literal(0), z.literal(1), z.literal(2)])
const rateSchema = z
  .number()
  .describe('Share of topics nobody there has that the node would get all the same, measured.')
const incarnationSchema = z
  .number()
  .nullable()
  .describe('Whose interest this is; null: of a node that is gone, as last known.')
const sequenceSchema = z
  .number()
  .nullable()
  .describe('Up to which of its changes its interest is applied at the answering node.')

const reasonSchema = z
  .union([
    z.object({ kind: z.literal('pattern'), filter: z.string() }),
    z.object({ kind: z.literal('exact'), falsePositiveRate: rateSchema }),
    z.object({ kind: z.literal('group'), group: z.string(), filter: z.string(), members: z.number() }),
    z.object({ kind: z.literal('unknown') }),
    z.object({ kind: z.literal('cut') }),
  ])
  .describe(
    'pattern: a filter with wildcards matches. exact: its bloom filter has the topic. group: it has members of a shared ' +
      'subscription. unknown: its interest is not known, so it gets everything. cut: too many wildcards to walk.',
  )

const recipientNodeSchema = z.object({
  nodeId: z.string(),
  incarnation: incarnationSchema,
  sequence: sequenceSchema,
  known: z.boolean(),
  presence: z.enum(['member', 'away', 'forgotten']),
  linkUp: z.boolean(),
  waiting: z.number().describe('Publications at QoS ≥ 1 it has not accepted.'),
  outboxMessages: z.number(),
  outboxBytes: z.number(),
  throughOutbox: z
    .boolean()
    .describe('Whether what it gets goes through its outbox on the disk of the answering node.'),
  reasons: z.array(reasonSchema),
  reasonsLeftOut: z.number(),
})

const groupSchema = z.object({
  group: z.string(),
  filter: z.string(),
  members: z.array(z.object({ nodeId: z.string(), members: z.number(), live: z.boolean() })),
  chosenNode: z.string().nullable().describe('Null: drawn when a message comes.'),
  chosenClient: z.string().nullable().describe('The member, when the answering node is the one chosen.'),
  clientHere: z
    .string()
    .nullable()
    .describe(
      'Which member of the answering node would get it, were that node chosen; null: none, or drawn.',
    ),
  because: z.string().describe('Why, for people.'),
})

export const explanationSchema = z
  .object({
    nodeId: z.string().describe('The node that answers: the message would be published there.'),
    topic: z.string(),
    qos: qosSchema,
    local: z.object({
      total: z.number(),
      clients: z.array(
        z.object({
          clientId: z.string(),
          filters: z.array(z.string()),
          qos: qosSchema.describe('At which it would be delivered.'),
          noLocal: z.boolean(),
          skipped: z.boolean().describe('Whether it would not get the message, being its publisher.'),
        }),
      ),
    }),
    nodes: z.object({ total: z.number(), list: z.array(recipientNodeSchema) }),
    nodesLeftOut: z.number().describe('Other nodes, which the message would not go to.'),
    groups: z.object({ total: z.number(), list: z.array(groupSchema) }),
    retained: z
      .object({ bytes: z.number(), qos: qosSchema, expiresAtMs: z.number().nullable() })
      .nullable()
      .describe('The retained message of the topic.'),
    waitsFor: z.array(z.string()).describe('What the acknowledgement would wait for, for people.'),
  })
  .describe('Where a message would go.')

export const routesSchema = z
  .object({
    nodeId: z.string().describe('The node that answers, whose view this is.'),
    nodes: z.array(
      z.object({
        nodeId: z.string(),
        self: z.boolean(),
        incarnation: incarnationSchema,
        sequence: sequenceSchema,
        known: z.boolean(),
        member: z.boolean(),
        patterns: z.number().describe('Filters with wildcards, and shared subscriptions.'),
        exactFilters: z.number().nullable().describe('Filters without wildcards, as it announced.'),
        table: z
          .object({
            bits: z.number().describe('It has 2^bits positions.'),
            setPositions: z.number(),
            load: z.number().describe('Share of positions that are set.'),
            estimatedFilters: z.number().describe('How many filters would set so many positions.'),
            falsePositiveRate: rateSchema,
          })
          .nullable()
          .describe(
            'The bloom filter of its exact filters; null for the answering node, or when there is none.',
          ),
      }),
    ),
    patterns: z.object({
      total: z.number(),
      offset: z.number(),
      list: z.array(
        z.object({
          nodeId: z.string(),
          group: z.string().nullable().describe('Of a shared subscription; else null.'),
          filter: z.string(),
          members: z.number(),
        }),
      ),
    }),
  })
  .describe('Who is interested in what, as far as the answering node knows.')

export const holdersSchema = z
  .object({
    nodeId: z.string().describe('The node that answers.'),
    filter: z.string(),
    holders: z.array(
      z.object({
        nodeId: z.string(),
        self: z.boolean(),
        members: z.number(),
        certain: z.boolean(),
        falsePositiveRate: rateSchema,
      }),
    ),
  })
  .describe('Which nodes have exactly one filter.')

export const explainQuerySchema = z.strictObject({
  topic: z.string().max(TEXT_MAX).describe('A topic name.'),
  qos: z.enum(['0', '1', '2']).default('1').describe('Quality of service it would be published with.'),
  publisher: z.string().max(TEXT_MAX).default('').describe('Client id of the publisher.'),
})

export const routesQuerySchema = z.strictObject({
  node: z.string().max(64).optional().describe('Patterns of this node alone.'),
  offset: z.int().min(0).default(0).describe('Patterns to pass over.'),
  limit: z.int().min(1).max(PAGE_PATTERNS_MAX).default(PAGE_PATTERNS_DEFAULT).describe('Most patterns.'),
})

export const holdersQuerySchema = z.strictObject({
  filter: z.string().max(TEXT_MAX).describe('A topic filter.'),
})

export type ExplanationView = z.output<typeof explanationSchema>
export type RoutesView = z.output<typeof routesSchema>
export type HoldersView = z.output<typeof holdersSchema>
export type ExplainParameters = z.output<typeof explainQuerySchema>
export type RoutesParameters = z.output<typeof routesQuerySchema>
export type HoldersParameters = z.output<typeof holdersQuerySchema>

export function explanationView(nodeId: string, explanation: Explanation): ExplanationView {
  const { topic, qos, local, nodes, groups, nodesLeftOut, retained, waitsFor } = explanation
  return {
    nodeId,
    topic,
    qos,
    local: {
      total: local.total,
      clients: local.items.map(({ isSkipped: skipped, filters, ...rest }) => ({
        ...rest,
        filters: [...filters],
        skipped,
      })),
    },
    nodes: {
      total: nodes.total,
      list: nodes.items.map(node => ({
        ...peerView(node),
        reasons: [...node.reasons],
        reasonsLeftOut: node.reasonsLeftOut,
      })),
    },
    nodesLeftOut,
    groups: {
      total: groups.total,
      list: groups.items.map(({ group, filter, members, chosenNode, chosenClient, clientHere, because }) => ({
        group,
        filter,
        members: members.map(({ isLive: live, ...rest }) => ({ ...rest, live })),
        chosenNode: chosenNode ?? null,
        chosenClient: chosenClient ?? null,
        clientHere: clientHere ?? null,
        because,
      })),
    },
    retained: retained === undefined ? null : { ...retained, expiresAtMs: retained.expiresAtMs ?? null },
    waitsFor: [...waitsFor],
  }
}

function peerView(peer: PeerRoute) {
  const { nodeId, incarnation, sequence, isKnown, presence, isLinkUp, isThroughOutbox, waiting } = peer
  return {
    nodeId,
    incarnation: incarnation ?? null,
    sequence: sequence ?? null,
    known: isKnown,
    presence,
    linkUp: isLinkUp,
    waiting,
    outboxMessages: peer.outboxMessages,
    outboxBytes: peer.outboxBytes,
    throughOutbox: isThroughOutbox,
  }
}

export function routesView(nodeId: string, offset: number, { nodes, patterns }: RouteTable): RoutesView {
  return {
    nodeId,
    nodes: nodes.map(nodeView),
    patterns: {
      total: patterns.total,
      offset,
      list: patterns.items.map(({ group, ...rest }) => ({ ...rest, group: group ?? null })),
    },
  }
}

function nodeView({ nodeId, isSelf, isKnown, isMember, patterns, ...node }: NodeRoutes) {
  const { table } = node
  return {
    nodeId,
    self: isSelf,
    incarnation: node.incarnation ?? null,
    sequence: node.sequence ?? null,
    known: isKnown,
    member: isMember,
    patterns,
    exactFilters: node.exactFilters ?? null,
    table: table === undefined ? null : { ...table, load: table.setPositions / 2 ** table.bits },
  }
}

export function holdersView(nodeId: string, filter: string, holders: readonly FilterHolder[]): HoldersView {
  return {
    nodeId,
    filter,
    holders: holders.map(({ nodeId: holder, isSelf, members, isCertain, falsePositiveRate }) => ({
      nodeId: holder,
      self: isSelf,
      members,
      certain: isCertain,
      falsePositiveRate,
    })),
  }
}
