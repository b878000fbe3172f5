/**
 * What a publisher's node owes others in their outboxes goes along when its session moves, so that what it publishes next does
 * not overtake that (PROTOCOLS section 4.2).
 *
 * The new node sends the debts first, under their ids, and the old one goes on owing them: whoever gets one twice drops it, and
 * no crash on the way costs more than the order. It keeps nothing itself. Invariant: in each queue a publisher's messages stand
 * in the order published, whatever nodes it published them on.
 */
import { errorMessage } from '../src/core/errors.ts'
import type { ClientId, NodeId } from '../src/core/ids.ts'
import { limits } from '../src/core/limits.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { Acceptance, Debt } from '../src/core/ports/routing.ts'
import { decodePublish, idOf, stampPublish } from './forward-codec.ts'
import type { ForwardPeer } from './forward-peer.ts'
import type { ForwardReceiver } from './forward-receiver.ts'
import type { ForwarderStats } from './forwarder-stats.ts'

interface DebtComponents {
  readonly receiver: Pick<ForwardReceiver, 'takeDebt'>
  readonly stats: Pick<ForwarderStats, 'debtsTaken' | 'debtsLeft' | 'rejected'>
  readonly logger: Logger
}

export class PublisherDebts {
  readonly #components: DebtComponents
  readonly #peers: ReadonlyMap<NodeId, ForwardPeer>
  readonly #onAdded: (nodeId: NodeId, peer: ForwardPeer) => void

  /** `onAdded`: something is new in that peer's queue. */
  constructor(
    components: DebtComponents,
    peers: ReadonlyMap<NodeId, ForwardPeer>,
    onAdded: (nodeId: NodeId, peer: ForwardPeer) => void,
  ) {
    this.#components = components
    this.#peers = peers
    this.#onAdded = onAdded
  }

  /** As `Forwarder.debtsOf`. */
  of(publisher: ClientId): Promise<readonly Debt[]> | undefined {
    const creditors = [...this.#peers].filter(([, { queue }]) => queue.owes(publisher))
    return creditors.length === 0 ? undefined : this.#read(publisher, creditors)
  }

  async #read(
    publisher: ClientId,
    creditors: readonly (readonly [NodeId, ForwardPeer])[],
  ): Promise<readonly Debt[]> {
    const { stats, logger } = this.#components
    const debts: Debt[] = []
    let byteCount = 0
    try {
      for (const [nodeId, { queue }] of creditors) {
        for await (const { expiresAtMs, frame } of queue.debtsOf(publisher)) {
          byteCount += frame.length
          if (debts.length >= limits.debtsMax || byteCount > limits.debtBytesMax) {
            stats.debtsLeft++
            return []
          }
          debts.push({ nodeId, expiresAtMs, frame })
        }
      }
      return debts
    } catch (error) {
      logger.error('an outbox could not be read: a client that moves may overtake what it published', {
        error: errorMessage(error),
      })
      return []
    }
  }

  /** As `PublishRouter.takeOver`. `self`: this node. */
  takeOver(self: NodeId, publisher: ClientId, debts: readonly Debt[], acceptance: Acceptance): void {
    for (const [nodeId, owed] of Map.groupBy(
      debts.filter(debt => this.#isSound(debt)),
      debt => debt.nodeId,
    )) {
      if (nodeId === self) {
        for (const debt of owed) acceptance.requireCommitted(this.#components.receiver.takeDebt(debt))
      } else this.#owe(nodeId, publisher, owed, acceptance)
    }
  }

  #owe(nodeId: NodeId, publisher: ClientId, owed: readonly Debt[], acceptance: Acceptance): void {
    const peer = this.#peers.get(nodeId)
    if (peer === undefined || peer.presence === 'forgotten') return
    // Of a publisher that has been here before: up to the last it left behind, all is in the outbox, or accepted.
    const last = peer.queue.lastIdOf(publisher)
    const known = owed.findLastIndex(({ frame }) => {
      const id = idOf(frame)
      return id !== undefined && id.number === last?.number && id.incarnation === last.incarnation
    })
    for (const { frame, expiresAtMs } of owed.slice(known + 1)) {
      peer.queue.add(frame, expiresAtMs, acceptance, 0, publisher)
      this.#components.stats.debtsTaken++
    }
    this.#onAdded(nodeId, peer)
  }

  /** Who gets it would else close the link to this node. */
  #isSound({ frame }: Debt): boolean {
    stampPublish(frame, 1, 0)
    const isSound = decodePublish(frame, 0)?.publication.id !== undefined
    if (!isSound) this.#components.stats.rejected++
    return isSound
  }
}
