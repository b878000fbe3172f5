/**
 * The nodes that are gone and may return: for each of them messages at QoS ≥ 1 are kept (PROTOCOLS section 6).
 *
 * It brings together who is known to the cluster, whose outbox is kept and whose interest stays in the index; it keeps
 * neither. Invariant: a node that was a member, is none, and is not retired, has an outbox and is in the index, with
 * the interest of its last life if that is known here, and else as one that wants everything; beyond `limits.awayNodesMax` the one
 * longest gone is forgotten, and counted.
 */
import type { Coordinator } from '../../coordination/coordinator.ts'
import type { GoneInterest } from '../../gossip/gone-interest.ts'
import type { KeptInterest } from '../../routing/kept-interest.ts'
import type { ForwardPeers } from '../../routing/forward-peers.ts'
import type { HashedRemoteIndex } from '../../routing/remote-index.ts'
import type { NodeId } from '../core/ids.ts'
import type { Clock } from '../core/ports/clock.ts'
import type { Logger } from '../core/ports/logger.ts'

interface AwayContext {
  readonly coordinator: Pick<Coordinator, 'absentNodes' | 'retiredNodes' | 'lastIncarnationOf'>
  readonly peers: Pick<ForwardPeers, 'awayNodes' | 'expectBack' | 'forget' | 'isMember'>
  readonly keptInterest: Pick<KeptInterest, 'keep'>
  readonly goneInterest: Pick<GoneInterest, 'setGone' | 'onKnown'>
  readonly remoteIndex: Pick<HashedRemoteIndex, 'nodes'>
  readonly clock: Clock
  readonly logger: Logger
}

/** A node that joins just now, or of which a peer knows more, is no news to the operator. */
const REPORT_AFTER_MS = 10_000

export class AwayNodes {
  readonly #context: AwayContext
  #isReportDue = false
  /** Those of `unknown` of whom the operator was told. */
  #reported: ReadonlySet<NodeId> = new Set()

  constructor(context: AwayContext) {
    this.#context = context
    context.goneInterest.onKnown(() => this.#reportLater())
  }

  /** After the forwarder, and before the interest exchange, was told of a change of members; or when more is known. */
  update(): void {
    const { coordinator, peers, keptInterest, goneInterest } = this.#context
    for (const nodeId of coordinator.retiredNodes) peers.forget(nodeId)
    for (const nodeId of coordinator.absentNodes) peers.expectBack(nodeId)
    const { awayNodes } = peers
    keptInterest.keep(awayNodes, nodeId => peers.isMember(nodeId))
    goneInterest.setGone(new Map(awayNodes.map(nodeId => [nodeId, coordinator.lastIncarnationOf(nodeId)])))
    this.#reportLater()
  }

  #reportLater(): void {
    if (this.#isReportDue) return
    this.#isReportDue = true
    this.#context.clock.schedule(REPORT_AFTER_MS, () => {
      this.#isReportDue = false
      this.#report()
    })
  }

  #report(): void {
    const { unknown } = this
    for (const nodeId of unknown) {
      if (this.#reported.has(nodeId)) continue
      this.#context.logger.warn(
        `node ${nodeId} is gone, and what its sessions want is not known here: everything published at QoS 1 and 2 is kept ` +
          `for it, up to queues.outboxMessagesMax and outboxBytesMax; should it never return: grapevine nodes forget ${nodeId}`,
        { nodeId },
      )
    }
    this.#reported = new Set(unknown)
  }

  /** Of the nodes that are gone, those for which everything is kept, since what they want is not known here. */
  get unknown(): readonly NodeId[] {
    const { peers, remoteIndex } = this.#context
    return peers.awayNodes.filter(nodeId => remoteIndex.nodes.get(nodeId)?.isKnown === false)
  }
}
