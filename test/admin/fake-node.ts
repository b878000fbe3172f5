import type { ModeAnswer, ModeStatus, SubscriptionMode } from '../../src/core/ports/subscription-mode.ts'
import type {
  DrainAnswer,
  DrainOptions,
  DrainStatus,
  LeaderCensus,
  LeaderDutyCounts,
  LeaderStatus,
  LocalSession,
  NodeControl,
  SessionDetails,
  SessionPage,
  SessionQuery,
} from '../../src/core/ports/node-control.ts'
import type {
  ExplainQuery,
  Explanation,
  GroupChoice,
  FilterHolder,
  RoutesQuery,
  RouteTable,
  RoutingControl,
} from '../../src/core/ports/routing-control.ts'
import type { FinishedSpan, TraceControl, TracePage, TraceRequest } from '../../src/core/ports/tracing.ts'
import { topicFilterFault, topicNameFault } from '../../src/core/topic.ts'
import type { ClusterStatus, NodeStatusSource, ReadinessCheck } from '../../src/core/ports/node-status.ts'

export class FakeNode implements NodeStatusSource {
  checks: ReadinessCheck[] = [{ name: 'mesh', ok: true, detail: '2 of 2 links up' }]
  published = 0

  readiness(): readonly ReadinessCheck[] {
    return this.checks
  }

  clusterStatus(): ClusterStatus {
    return {
      cluster: 'test',
      nodeId: 'node-0',
      coordination: 'etcd',
      suspended: false,
      leader: undefined,
      members: [],
      local: { connections: 1, sessions: 2, queued: 5, subscriptions: 3, filters: 4 },
      events: [{ atMs: 5, event: 'member-joined', nodeId: 'node-1', detail: 'incarnation 7' }],
    }
  }

  metrics() {
    return [
      { name: 'published_total', type: 'counter' as const, help: 'Messages.', read: () => this.published },
      { name: 'sessions', type: 'gauge' as const, help: 'Sessions.', read: () => -this.published },
    ]
  }
}

export const census: LeaderCensus = {
  sessionsOfNode: new Map([
    ['node-1', 7],
    ['node-0', 1_000_000],
  ]),
  countedAtMs: 1000,
  store: {
    sizeBytes: 3 * 2 ** 20,
    sizeInUseBytes: 2 ** 20,
    quotaBytes: undefined,
    alarm: 'NOSPACE',
    version: '3.5',
  },
  dead: [{ nodeId: 'node-7', incarnation: 70, atMs: 500 }],
}

export const idle: DrainStatus = {
  state: 'idle',
  sinceMs: undefined,
  ratePerSecond: undefined,
  connections: 3,
  sessions: 2,
  targets: ['node-1'],
  clientsAsked: 0,
  sessionsMoved: 0,
  offersRefused: 0,
  messagesForMembers: 0,
  messagesForGone: 0,
  waitingFor: undefined,
}

export const duties: LeaderDutyCounts = {
  bucketsRead: 4096,
  sessionsEnded: 5,
  willsPublished: 2,
  willsLeftOut: 0,
  keysDeleted: 9,
  compactions: 1,
  compactionsFailed: 0,
}

export function localSession(clientId: string): LocalSession {
  return {
    clientId,
    connected: true,
    remote: '10.0.0.9:4711',
    subscriptions: 2,
    queued: 5,
    inflight: 1,
    expiryIntervalSeconds: 600,
    disconnectedAtMs: undefined,
  }
}

/** Does as it is told, and remembers what it was asked. */
export class FakeControl implements NodeControl {
  readonly queries: SessionQuery[] = []
  readonly lookedUp: string[] = []
  readonly drains: DrainOptions[] = []
  answer: DrainAnswer = {
    isStarted: true,
    status: { ...idle, state: 'draining', sinceMs: 7, ratePerSecond: 50 },
  }
  fault: Error | undefined

  /** What it counted as leader. */
  found: LeaderCensus | undefined

  leader(): LeaderStatus {
    const previous = [{ leader: 'node-0', term: 3, sinceMs: 10, untilMs: 20 }]
    return { leader: undefined, term: undefined, sinceMs: undefined, previous }
  }

  leaderDuties(): LeaderDutyCounts {
    return duties
  }

  census(): LeaderCensus | undefined {
    return this.found
  }

  sessions(query: SessionQuery): SessionPage {
    this.queries.push(query)
    return { sessions: [localSession('one')], next: 'page-2' }
  }

  moreSessions(next: string): SessionPage | undefined {
    return next === 'page-2' ? { sessions: [], next: undefined } : undefined
  }

  session(clientId: string): Promise<SessionDetails> {
    this.lookedUp.push(clientId)
    if (this.fault !== undefined) return Promise.reject(this.fault)
    return Promise.resolve({
      clientId,
      local: undefined,
      owner: {
        nodeId: 'node-1',
        incarnation: 9,
        isLive: true,
        adminUrl: 'http://node-1:8080',
        token: { epoch: 1, revision: 12 },
        how: 'moved',
        from: 'node-0',
        sinceMs: 1000,
        expiryIntervalSeconds: 600,
        recordBytes: 150,
      },
    })
  }

  drain(options: DrainOptions): DrainAnswer {
    this.drains.push(options)
    return this.answer
  }

  cancelDrain(): DrainStatus {
    return idle
  }

  drainStatus(): DrainStatus {
    return idle
  }

  /** Nodes that were given up. "live" is a member, "gone" is known. */
  readonly forgotten: string[] = []

  forgetNode(nodeId: string): Promise<'forgotten' | 'member' | 'unknown'> {
    if (nodeId !== 'gone') return Promise.resolve(nodeId === 'live' ? 'member' : 'unknown')
    this.forgotten.push(nodeId)
    return Promise.resolve('forgotten')
  }

  /** What was asked for. */
  readonly modes: SubscriptionMode[] = []
  modeStatus: ModeStatus = { mode: 'gossip', epoch: 1, current: undefined, last: undefined }
  modeAnswer: ModeAnswer = { isAccepted: true, isChange: true, epoch: 2 }

  mode(): ModeStatus {
    return this.modeStatus
  }

  setMode(to: SubscriptionMode): Promise<ModeAnswer> {
    this.modes.push(to)
    return Promise.resolve(this.modeAnswer)
  }
}

/** Knows one topic, one filter and one page of routes. */
export class FakeRouting implements RoutingControl {
  readonly asked: ExplainQuery[] = []
  groups: GroupChoice[] = [
    {
      group: 'g',
      filter: 'a/b',
      members: [{ nodeId: 'node-1', members: 2, isLive: false }],
      chosenNode: undefined,
      chosenClient: undefined,
      clientHere: undefined,
      because: 'drawn',
    },
  ]

  topicFault(topic: string): string | undefined {
    return topicNameFault(topic, 128)
  }

  filterFault(filter: string): string | undefined {
    return topicFilterFault(filter, 128)
  }

  explain(query: ExplainQuery): Explanation {
    this.asked.push(query)
    return {
      topic: query.topic,
      qos: query.qos,
      local: {
        items: [{ clientId: 'near', filters: ['a/+'], qos: query.qos, noLocal: true, isSkipped: true }],
        total: 101,
      },
      nodes: {
        items: [
          {
            nodeId: 'node-1',
            incarnation: undefined,
            sequence: undefined,
            isKnown: true,
            presence: 'away',
            isLinkUp: false,
            waiting: 3,
            outboxMessages: 2,
            outboxBytes: 512,
            isThroughOutbox: true,
            reasons: [
              { kind: 'pattern', filter: 'a/#' },
              { kind: 'exact', falsePositiveRate: 0.0031 },
            ],
            reasonsLeftOut: 0,
          },
        ],
        total: 1,
      },
      groups: {
        items: this.groups,
        total: this.groups.length,
      },
      nodesLeftOut: 4,
      retained: { bytes: 7, qos: 1, expiresAtMs: undefined },
      waitsFor: ['the outbox'],
    }
  }

  routes({ nodeId, offset, limit }: RoutesQuery): RouteTable {
    const all = ['a/+', 'b/+', 'c/+'].map(filter => ({
      nodeId: nodeId ?? 'node-1',
      group: undefined,
      filter,
      members: 1,
    }))
    const table = { bits: 15, setPositions: 8192, estimatedFilters: 1300, falsePositiveRate: 0.00006 }
    const node = { incarnation: 7, sequence: 12, isKnown: true, isMember: true, patterns: 3 }
    return {
      nodes: [{ ...node, nodeId: 'node-1', isSelf: false, exactFilters: 1299, table }],
      patterns: { items: all.slice(offset, offset + limit), total: 3 },
    }
  }

  holders(filter: string): readonly FilterHolder[] {
    return filter === 'a/b'
      ? [{ nodeId: 'node-1', isSelf: false, members: 1, isCertain: false, falsePositiveRate: 0.0031 }]
      : []
  }
}

const publish: FinishedSpan = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  parentSpanId: undefined,
  name: 'publish',
  nodeId: 'node-0',
  startMs: 1000,
  endMs: 1002.5,
  attributes: { 'messaging.destination.name': 'a/b', 'messaging.mqtt.qos': 1, 'messaging.client.id': 'pub' },
  events: [
    { name: 'delivered', atMs: 1000.1, attributes: { clients: 2, names: 'one, two' } },
    { name: 'acknowledged', atMs: 1002.5, attributes: {} },
  ],
  isComplete: true,
}

/** Has the way of one message at hand, over two nodes. */
export class FakeTracing implements TraceControl {
  readonly started: TraceRequest[] = []
  readonly stopped: string[] = []
  spans: readonly FinishedSpan[] = [
    publish,
    {
      ...publish,
      spanId: '00f067aa0ba902b7',
      parentSpanId: publish.spanId,
      name: 'forward',
      startMs: 1000.2,
      endMs: 1002.25,
      attributes: { 'grapevine.peer': 'node-1' },
      events: [
        { name: 'sent', atMs: 1000.25, attributes: {} },
        { name: 'accepted', atMs: 1002.25, attributes: {} },
      ],
    },
    {
      ...publish,
      spanId: '53995c3f42cd8ad8',
      parentSpanId: '00f067aa0ba902b7',
      name: 'receive',
      nodeId: 'node-1',
      startMs: 1001,
      endMs: 1002,
      attributes: { 'grapevine.peer': 'node-0' },
      events: [{ name: 'delivered', atMs: 1001.5, attributes: { clients: 0 } }],
      isComplete: false,
    },
  ]

  start(request: TraceRequest): string | undefined {
    this.started.push(request)
    return request.count === 999 ? undefined : 'one'
  }

  read(name: string, from: number): TracePage | undefined {
    if (name === 'x') return { spans: [], next: 0, isOver: true, dropped: 0 }
    if (name !== 'one' || this.stopped.includes(name)) return undefined
    return { spans: this.spans.slice(from), next: this.spans.length, isOver: false, dropped: 0 }
  }

  stop(name: string): boolean {
    this.stopped.push(name)
    return name === 'one'
  }
}
