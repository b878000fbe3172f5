/**
 * The operator's hand on one node: looks up sessions and the leader, lists sessions, drains.
 *
 * It gathers what the cores know and keeps no state but open listings and the drain; what an operator may see of the whole
 * cluster is in `ClusterStatus`. Invariant: a look-up changes nothing.
 */
import { CoordinationKeys } from '../../coordination/keys.ts'
import type { LeaderDuties } from '../../coordination/leader-duties.ts'
import type { ModeFollower } from '../../coordination/mode-follower.ts'
import { decodeOwnership } from '../../coordination/session-record.ts'
import type { InterestExchange } from '../../gossip/interest-exchange.ts'
import type { ForwardQueueStatus } from '../../routing/forwarder-stats.ts'
import type { ForwardPeers } from '../../routing/forward-peers.ts'
import type { ClientId, NodeId } from '../core/ids.ts'
import type { Clock } from '../core/ports/clock.ts'
import type { CoordinationStore } from '../core/ports/coordination-store.ts'
import type { Logger } from '../core/ports/logger.ts'
import type { Member, MemberState } from '../core/ports/membership.ts'
import type {
  DrainAnswer,
  DrainOptions,
  DrainStatus,
  LeaderCensus,
  LeaderDutyCounts,
  LeaderStatus,
  NodeControl,
  SessionDetails,
  SessionOwner,
  SessionPage,
  SessionQuery,
} from '../core/ports/node-control.ts'
import type { ReadinessCheck } from '../core/ports/node-status.ts'
import type { PeerTransport } from '../core/ports/peer-transport.ts'
import type { Random } from '../core/ports/random.ts'
import type { ModeAnswer, ModeStatus, SubscriptionMode } from '../core/ports/subscription-mode.ts'
import type { SessionOwnership } from '../core/ports/session-ownership.ts'
import type { ClientDirectory } from '../mqtt/client-directory.ts'
import { Drain, type ForwardBacklog } from './drain.ts'
import { SessionListings } from './session-listings.ts'

/** How long a drained node waits for one answer of the others; then it asks anew. */
const UNNEEDED_MS = 5000

export interface ControlContext {
  readonly nodeId: NodeId
  readonly cluster: string
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly coordinationStore: CoordinationStore
  readonly transport: Pick<PeerTransport, 'isUp'>
  readonly coordinator: ControlledCoordinator
  readonly clients: ClientDirectory
  readonly forwarder: {
    readonly peers: Pick<ForwardPeers, 'awayNodes' | 'queues'>
    whenFlushed(heard: () => void): void
  }
  readonly interest: Pick<InterestExchange, 'recordedBytes' | 'whenApplied'>
  /** Whether clients are served: the node has joined, and does not stop. */
  isServing(): boolean
}

/** The node's part in its cluster, as far as an operator moves it. */
export interface ControlledCoordinator extends Pick<SessionOwnership, 'offer'> {
  /** Live members, self included. */
  readonly members: readonly Member[]
  /** Nodes that were members, and those of them that were given up or left with nothing. */
  readonly absentNodes: readonly NodeId[]
  readonly retiredNodes: ReadonlySet<NodeId>
  retire(nodeId: NodeId): Promise<'retired' | 'member'>
  readonly leadership: LeaderStatus
  readonly leaderStats: LeaderDuties['stats']
  readonly census: LeaderCensus | undefined
  readonly mode: Pick<ModeFollower, 'status' | 'request'>
  setState(state: MemberState): void
  /** Lets another member lead, until `stand`. */
  resign(): void
  stand(): void
}

export class BrokerControl implements NodeControl {
  readonly #drain: Drain
  readonly #context: ControlContext
  readonly #keys: CoordinationKeys
  readonly #listings: SessionListings

  constructor(context: ControlContext) {
    this.#context = context
    this.#keys = new CoordinationKeys(context.cluster)
    this.#listings = new SessionListings(context.clients, context.random)
    const { coordinator, transport, nodeId } = context
    this.#drain = new Drain({
      ...context,
      ownership: coordinator,
      backlog: () => backlogOf(context.forwarder.peers.queues(), context.clients.estateCount),
      whenUnneeded: heard =>
        context.interest.whenApplied('all', UNNEEDED_MS, isApplied => {
          if (isApplied) context.forwarder.whenFlushed(() => heard(true))
          else heard(false)
        }),
      member: {
        isServing: () => context.isServing(),
        targets: () =>
          coordinator.members
            .filter(
              member => member.nodeId !== nodeId && member.state === 'ready' && transport.isUp(member.nodeId),
            )
            .map(member => member.nodeId),
        setState: state => coordinator.setState(state),
        resign: () => coordinator.resign(),
        stand: () => coordinator.stand(),
      },
    })
  }

  readiness(): ReadinessCheck {
    const { state } = this.#drain.status()
    const detail = {
      idle: 'not draining',
      draining: 'draining: takes no new clients',
      drained: 'drained: may be stopped',
    }
    return { name: 'drain', ok: state === 'idle', detail: detail[state] }
  }

  /**
   * Drains, for as long as that leads anywhere and `timeoutMs` at most; answers how far it came. Clients are not taken again
   * afterwards.
   */
  drainWithin(options: DrainOptions, timeoutMs: number): Promise<DrainStatus> {
    return new Promise(resolve => {
      if (!this.#drain.start(options).isStarted) {
        resolve(this.#drain.status())
        return
      }
      const end = (): void => {
        timer.cancel()
        resolve(this.#drain.status())
      }
      const timer = this.#context.clock.schedule(timeoutMs, end)
      this.#drain.whenEnded(end)
    })
  }

  /** The node stops: no more is sent away. */
  stop(): void {
    this.#drain.stop()
  }

  leader(): LeaderStatus {
    return this.#context.coordinator.leadership
  }

  leaderDuties(): LeaderDutyCounts {
    const {
      published: willsPublished,
      leftOut: willsLeftOut,
      ...rest
    } = this.#context.coordinator.leaderStats
    const { bucketsRead, sessionsEnded, keysDeleted, compactions, compactionsFailed } = rest
    const wills = { willsPublished, willsLeftOut }
    return { bucketsRead, sessionsEnded, ...wills, keysDeleted, compactions, compactionsFailed }
  }

  census(): LeaderCensus | undefined {
    return this.#context.coordinator.census
  }

  sessions(query: SessionQuery): SessionPage {
    return this.#listings.first(query)
  }

  moreSessions(next: string): SessionPage | undefined {
    return this.#listings.more(next)
  }

  async forgetNode(nodeId: NodeId): Promise<'forgotten' | 'member' | 'unknown'> {
    const { coordinator, forwarder, logger } = this.#context
    if (this.#member(nodeId) !== undefined) return 'member'
    if (coordinator.retiredNodes.has(nodeId)) return 'forgotten'
    const isKnown = coordinator.absentNodes.includes(nodeId) || forwarder.peers.awayNodes.includes(nodeId)
    if (!isKnown) return 'unknown'
    if ((await coordinator.retire(nodeId)) === 'member') return 'member'
    logger.info('an operator gave a node up: nothing is kept for it any more', { nodeId })
    return 'forgotten'
  }

  async session(clientId: ClientId): Promise<SessionDetails> {
    const owner = await this.#owner(clientId)
    return { clientId, owner, local: this.#context.clients.describe(clientId) }
  }

  drain(options: DrainOptions): DrainAnswer {
    return this.#drain.start(options)
  }

  cancelDrain(): DrainStatus {
    return this.#drain.cancel()
  }

  drainStatus(): DrainStatus {
    return this.#drain.status()
  }

  mode(): ModeStatus {
    return this.#context.coordinator.mode.status()
  }

  setMode(to: SubscriptionMode): Promise<ModeAnswer> {
    const { coordinator, interest } = this.#context
    return coordinator.mode.request(to, interest.recordedBytes())
  }

  async #owner(clientId: ClientId): Promise<SessionOwner | undefined> {
    const key = this.#keys.session(clientId)
    const { entry } = await this.#context.coordinationStore.get(key)
    const record = entry && decodeOwnership(entry)
    if (entry === undefined || record === undefined) return undefined
    const member = this.#member(record.node)
    return {
      nodeId: record.node,
      incarnation: record.incarnation,
      isLive: member?.incarnation === record.incarnation,
      adminUrl: member?.adminUrl,
      token: record.token,
      how: record.how,
      from: record.from,
      sinceMs: record.sinceMs,
      expiryIntervalSeconds: record.expiry,
      recordBytes: new TextEncoder().encode(key).length + entry.value.length,
    }
  }

  #member(nodeId: NodeId): Member | undefined {
    return this.#context.coordinator.members.find(member => member.nodeId === nodeId)
  }
}

/** `estateCount`: messages that ended sessions leave to other members of their groups, who are most often elsewhere. */
function backlogOf(queues: readonly ForwardQueueStatus[], estateCount: number): ForwardBacklog {
  let messagesForMembers = estateCount
  let messagesForGone = 0
  for (const { presence, waiting, outboxMessages } of queues) {
    if (presence === 'member') messagesForMembers += Math.max(waiting, outboxMessages)
    else messagesForGone += outboxMessages
  }
  return { messagesForMembers, messagesForGone }
}
