import type { Clock } from '../core/ports/clock.ts'
import type { Logger } from '../core/ports/logger.ts'
import type { NodeId } from '../core/ids.ts'
import type { Member } from '../core/ports/membership.ts'
import type { ClusterEvent } from '../core/ports/node-status.ts'

const EVENTS_MAX = 100

/** Logged by the transport already, or of no interest by themselves. */
const quiet: ReadonlySet<ClusterEvent['event']> = new Set(['link-up', 'link-down', 'member-state'])

/** The latest cluster events as this node saw them; each is logged once and kept for `/cluster/status`. */
export class ClusterEventLog {
  #events: ClusterEvent[] = []
  #members: ReadonlyMap<NodeId, Member> = new Map()
  readonly #clock: Pick<Clock, 'wallNow'>
  readonly #logger: Logger

  constructor(clock: Pick<Clock, 'wallNow'>, logger: Logger) {
    this.#clock = clock
    this.#logger = logger
  }

  /** Oldest first. */
  get events(): readonly ClusterEvent[] {
    return this.#events
  }

  /** To be told of every change: adds who came, who went, and whose state is another. */
  membersChanged(members: readonly Member[]): void {
    const before = this.#members
    const now = new Map(members.map(member => [member.nodeId, member]))
    this.#members = now
    for (const [nodeId, { incarnation }] of before) {
      if (now.get(nodeId)?.incarnation !== incarnation) {
        this.add('member-left', nodeId, `incarnation ${incarnation}`)
      }
    }
    for (const [nodeId, { incarnation, state }] of now) {
      const known = before.get(nodeId)
      if (known?.incarnation !== incarnation) {
        this.add('member-joined', nodeId, `incarnation ${incarnation}, ${state}`)
      } else if (known.state !== state) {
        this.add('member-state', nodeId, `${known.state} → ${state}`)
      }
    }
  }

  add(event: ClusterEvent['event'], nodeId: string, detail: string): void {
    this.#events.push({ atMs: this.#clock.wallNow(), event, nodeId, detail })
    if (this.#events.length > EVENTS_MAX) this.#events = this.#events.slice(-EVENTS_MAX)
    const level = event === 'suspended' ? 'warn' : quiet.has(event) ? 'debug' : 'info'
    this.#logger[level](`${event.replace('-', ' ')}: ${nodeId}`, { detail })
  }
}
