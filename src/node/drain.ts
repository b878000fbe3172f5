/**
 * Empties a node before it is stopped: no new clients, the connected ones sent away at a chosen pace, and the sessions that
 * stay behind handed to members that can take them, until none is left, the others have every message taken here, and all that
 * they sent here before they knew is answered.
 *
 * It decides who goes when and where; how a session moves is `SessionOwnership.offer`'s business, and nothing is ended here.
 * Invariants: a session is offered to one member at a time, and never while its client is connected; without a member to
 * take the sessions no client is sent away, unless that was forced.
 */
import type { ClientId, NodeId } from '../core/ids.ts'
import { limits } from '../core/limits.ts'
import type { Clock, Timer } from '../core/ports/clock.ts'
import type { Logger } from '../core/ports/logger.ts'
import type { MemberState } from '../core/ports/membership.ts'
import type { DrainAnswer, DrainOptions, DrainStatus } from '../core/ports/node-control.ts'
import type { SessionOwnership } from '../core/ports/session-ownership.ts'

/** The clients and sessions of the node. */
export interface DrainableClients {
  readonly connectionCount: number
  readonly sessionCount: number
  /** Whether CONNECTs under way may still bring sessions. */
  readonly isExpecting: boolean
  /** Sessions held; may be continued later, and then leaves out those gone meanwhile. */
  held(): Iterator<{ readonly clientId: ClientId; readonly isConnected: boolean }, unknown>
  holds(clientId: ClientId): boolean
  setDraining(isDraining: boolean): void
  /** Closes up to `count` connections of clients; answers whose. */
  dismiss(count: number): readonly ClientId[]
}

/** The node's place in its cluster. */
export interface DrainableMember {
  /** Whether the node serves clients: joined, and not stopping. */
  isServing(): boolean
  /** Other members that take sessions and can be reached. */
  targets(): readonly NodeId[]
  setState(state: MemberState): void
  /** Lets another member lead. */
  resign(): void
  /** Stands for leadership again. */
  stand(): void
}

/** Messages on their way to other nodes. */
export interface ForwardBacklog {
  readonly messagesForMembers: number
  readonly messagesForGone: number
}

export interface DrainPorts {
  readonly clock: Clock
  readonly logger: Logger
  readonly clients: DrainableClients
  readonly member: DrainableMember
  readonly ownership: Pick<SessionOwnership, 'offer'>
  readonly backlog: () => ForwardBacklog
  /** Calls back, later: whether every member knows that nobody subscribes here, and has nothing left of what it had for this node. */
  whenUnneeded(heard: (isUnneeded: boolean) => void): void
}

/** A session that was offered in vain. */
interface Retry {
  readonly dueMs: number
  readonly delayMs: number
}

const TICK_MS = 100
/** A client that was sent away has this long to come to another node, which moves its session without us. */
const RETURN_MS = 3000
const RETRY_MS_MIN = 1000
const RETRY_MS_MAX = 30_000
/** Without another member that is ready for this long, a drain is taken to lead nowhere. */
const ALONE_MS = 3000
/** Sessions looked at in one turn: with very many, the others must be served in between. */
const LOOKED_AT_MAX = 2000

export class Drain {
  readonly #ports: DrainPorts
  readonly #onEnded: (() => void)[] = []
  #options: DrainOptions | undefined
  #sinceMs: number | undefined
  #tick: Timer | undefined
  /** Clients that may be sent away by now, fractions included. */
  #allowance = 0
  #isDrained = false
  /** What the others were asked when nothing was left here, and whether they have said yes; undefined: not asked since. */
  #question: { isUnneeded: boolean } | undefined
  #cursor: Iterator<{ readonly clientId: ClientId; readonly isConnected: boolean }, unknown> | undefined
  #nextTarget = 0
  /** Monotonic ms since when there is no other member that is ready. */
  #aloneSinceMs: number | undefined
  readonly #offered = new Set<ClientId>()
  /** Monotonic ms until which a session is left alone, in order of time. */
  readonly #resting = new Map<ClientId, number>()
  readonly #retries = new Map<ClientId, Retry>()
  #clientsAsked = 0
  #sessionsMoved = 0
  #offersRefused = 0

  constructor(ports: DrainPorts) {
    this.#ports = ports
  }

  /** Begins, or goes on with other options. */
  start(options: DrainOptions): DrainAnswer {
    const { clock, member, clients, logger } = this.#ports
    if (!member.isServing()) return { isStarted: false, refusal: 'not-serving' }
    if (!options.isForced && member.targets().length === 0) return { isStarted: false, refusal: 'alone' }
    const isFirst = this.#options === undefined
    this.#options = options
    if (isFirst) {
      this.#sinceMs = clock.wallNow()
      this.#clientsAsked = this.#sessionsMoved = this.#offersRefused = 0
      clients.setDraining(true)
      member.setState('draining')
      member.resign()
      this.#tick = clock.repeat(TICK_MS, () => this.#step())
      logger.info('draining: taking no new clients', {
        connections: clients.connectionCount,
        sessions: clients.sessionCount,
        ratePerSecond: options.ratePerSecond,
      })
      this.#checkDrained()
    }
    return { isStarted: true, status: this.status() }
  }

  /** The node takes clients again. */
  cancel(): DrainStatus {
    if (this.#options !== undefined && this.#ports.member.isServing()) {
      const { clients, member, logger } = this.#ports
      this.stop()
      clients.setDraining(false)
      member.setState('ready')
      member.stand()
      logger.info('the drain was cancelled: taking clients again', { sessions: clients.sessionCount })
    }
    return this.status()
  }

  /** Ends the work, without taking clients again: the node stops. */
  stop(): void {
    this.#tick?.cancel()
    this.#tick = undefined
    this.#options = undefined
    this.#sinceMs = undefined
    this.#isDrained = false
    this.#question = undefined
    this.#cursor = undefined
    this.#aloneSinceMs = undefined
    this.#resting.clear()
    this.#retries.clear()
    this.#end()
  }

  /**
   * Calls back once, not inside this call: when the node is drained, when the drain was called off, or when it leads nowhere
   * because no other member has been ready for a while.
   */
  whenEnded(listener: () => void): void {
    this.#onEnded.push(listener)
  }

  status(): DrainStatus {
    const { clients, member } = this.#ports
    const targets = member.targets()
    return {
      state: this.#options === undefined ? 'idle' : this.#isDrained ? 'drained' : 'draining',
      sinceMs: this.#sinceMs,
      ratePerSecond: this.#options?.ratePerSecond,
      connections: clients.connectionCount,
      sessions: clients.sessionCount,
      targets,
      clientsAsked: this.#clientsAsked,
      sessionsMoved: this.#sessionsMoved,
      offersRefused: this.#offersRefused,
      ...this.#ports.backlog(),
      waitingFor: this.#waitingFor(targets),
    }
  }

  #waitingFor(targets: readonly NodeId[]): string | undefined {
    const { clients, backlog } = this.#ports
    if (this.#options === undefined || this.#isDrained) return undefined
    if (targets.length === 0) return 'another member to be ready: the sessions have nowhere to go'
    if (clients.sessionCount === 0 && clients.isExpecting) return 'sessions that may still arrive'
    const { messagesForMembers } = backlog()
    if (clients.sessionCount === 0 && messagesForMembers === 0)
      return 'members to say that nothing is on its way here'
    if (clients.sessionCount === 0) return `members to accept ${messagesForMembers} messages`
    if (this.#retries.size === 0) return undefined
    return `members to take ${this.#retries.size} sessions they did not take at first; each is offered again`
  }

  #step(): void {
    const options = this.#options
    if (options === undefined) return
    const targets = this.#ports.member.targets()
    if (targets.length > 0 || options.isForced) this.#dismiss(options.ratePerSecond)
    if (targets.length > 0) {
      this.#aloneSinceMs = undefined
      this.#offerSome(targets)
    } else {
      this.#waitAlone(options)
    }
    this.#checkDrained()
  }

  #waitAlone({ isForced }: DrainOptions): void {
    const { clock, clients } = this.#ports
    this.#aloneSinceMs ??= clock.now()
    if (isForced && clients.connectionCount > 0) return
    if (clock.now() - this.#aloneSinceMs >= ALONE_MS) this.#end()
  }

  #dismiss(ratePerSecond: number): void {
    const { clients } = this.#ports
    const { count, rest } = spend(this.#allowance + (ratePerSecond * TICK_MS) / 1000)
    const dismissed = count === 0 ? [] : clients.dismiss(count)
    // What nobody used is not saved up: the pace holds at every moment.
    this.#allowance = rest
    this.#clientsAsked += dismissed.length
    for (const clientId of dismissed) this.#rest(clientId)
  }

  #rest(clientId: ClientId): void {
    this.#resting.delete(clientId) // to stand last
    this.#resting.set(clientId, this.#ports.clock.now() + RETURN_MS)
  }

  /** Offers sessions without a client as far as the bounds allow; looks on from where it stopped. */
  #offerSome(targets: readonly NodeId[]): void {
    const { clients, clock } = this.#ports
    const nowMs = clock.now()
    this.#wakeRested(nowMs)
    let wraps = this.#cursor === undefined ? 1 : 0
    for (let looked = 0; looked < LOOKED_AT_MAX; looked++) {
      if (this.#offered.size >= limits.drainOffersUnderWayMax) return
      this.#cursor ??= clients.held()
      const next = this.#cursor.next()
      if (next.done === true) {
        this.#cursor = undefined
        this.#forgetGone()
        if (++wraps > 1) return
        continue
      }
      const { clientId, isConnected } = next.value
      if (isConnected || this.#offered.has(clientId) || this.#resting.has(clientId)) continue
      if ((this.#retries.get(clientId)?.dueMs ?? 0) > nowMs) continue
      const target = targets[this.#nextTarget++ % targets.length]
      if (target !== undefined) void this.#offer(clientId, target)
    }
  }

  #wakeRested(nowMs: number): void {
    for (const [clientId, untilMs] of this.#resting) {
      if (untilMs > nowMs) return
      this.#resting.delete(clientId)
    }
  }

  /** Sessions whose client came to another node meanwhile need no further offer. */
  #forgetGone(): void {
    for (const clientId of this.#retries.keys()) {
      if (!this.#ports.clients.holds(clientId)) this.#retries.delete(clientId)
    }
  }

  async #offer(clientId: ClientId, target: NodeId): Promise<void> {
    this.#offered.add(clientId)
    let isTaken = false
    try {
      isTaken = await this.#ports.ownership.offer(clientId, target)
    } finally {
      this.#offered.delete(clientId)
    }
    const { clock, clients, member, logger } = this.#ports
    if (this.#options === undefined) return
    if (isTaken || !clients.holds(clientId)) {
      if (isTaken) this.#sessionsMoved++
      this.#retries.delete(clientId)
      this.#rest(clientId)
      this.#checkDrained()
      const targets = member.targets()
      if (targets.length > 0) this.#offerSome(targets)
      return
    }
    this.#offersRefused++
    const delayMs = Math.min(RETRY_MS_MAX, (this.#retries.get(clientId)?.delayMs ?? RETRY_MS_MIN / 2) * 2)
    this.#retries.set(clientId, { delayMs, dueMs: clock.now() + delayMs })
    logger.debug('a session was offered and not taken', { clientId, to: target, againInMs: delayMs })
  }

  #checkDrained(): void {
    const { clients, backlog, logger } = this.#ports
    const hasSessions = clients.sessionCount > 0 || clients.isExpecting
    const isEmpty = !hasSessions && this.#offered.size === 0 && backlog().messagesForMembers === 0
    if (!isEmpty) this.#question = undefined
    else if (this.#question === undefined) this.#askOthers()
    const isDrained = this.#question?.isUnneeded === true
    if (isDrained && !this.#isDrained) {
      this.#retries.clear()
      logger.info('drained: nothing is left to hand over, the node may be stopped', {
        clientsAsked: this.#clientsAsked,
        sessionsMoved: this.#sessionsMoved,
      })
    }
    this.#isDrained = isDrained
    if (isDrained) this.#end()
  }

  #askOthers(): void {
    const question = { isUnneeded: false }
    this.#question = question
    this.#ports.whenUnneeded(isUnneeded => {
      if (this.#question !== question) return
      question.isUnneeded = isUnneeded
      if (isUnneeded) this.#checkDrained()
      else this.#question = undefined // the next step asks again
    })
  }

  #end(): void {
    for (const listener of this.#onEnded.splice(0)) this.#ports.clock.defer(listener)
  }
}

function spend(allowance: number): { readonly count: number; readonly rest: number } {
  const count = Math.floor(allowance + 1e-9)
  return { count, rest: Math.max(0, allowance - count) }
}
