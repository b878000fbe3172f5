import type { NodeId } from '../src/core/ids.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { PeerTransport } from '../src/core/ports/peer-transport.ts'
import { encodeBare, encodePart, encodeSummary } from './interest-frame-codec.ts'
import type { InterestStats } from './interest-stats.ts'
import type { InterestSnapshot } from './local-interest.ts'

/** Parts sent before other work of the node gets its turn. */
const FRAMES_PER_TURN = 16

interface Sending {
  readonly snapshot: InterestSnapshot
  stage: 'begin' | 'parts' | 'end' | 'done'
  next: number
  /** Refused by the transport, to be sent first. */
  refused: Uint8Array | undefined
}

/**
 * Streams snapshots to the peers that asked, one at a time each, as fast as their links take them.
 *
 * A snapshot never changes while it is sent: what happens meanwhile travels as deltas with higher sequences.
 */
export class SnapshotSender {
  readonly #transport: PeerTransport
  readonly #clock: Clock
  readonly #stats: InterestStats
  readonly #sendings = new Map<NodeId, Sending>()

  constructor(transport: PeerTransport, clock: Clock, stats: InterestStats) {
    this.#transport = transport
    this.#clock = clock
    this.#stats = stats
    transport.onDrain((nodeId, channel) => {
      const sending = this.#sendings.get(nodeId)
      if (channel === 'interest' && sending !== undefined) this.#pump(nodeId, sending)
    })
  }

  /** Replaces a snapshot still under way to the same peer. */
  send(nodeId: NodeId, snapshot: InterestSnapshot): void {
    const sending: Sending = { snapshot, stage: 'begin', next: 0, refused: undefined }
    this.#sendings.set(nodeId, sending)
    this.#pump(nodeId, sending)
  }

  cancel(nodeId: NodeId): void {
    this.#sendings.delete(nodeId)
  }

  #pump(nodeId: NodeId, sending: Sending): void {
    for (let sent = 0; sent < FRAMES_PER_TURN; sent++) {
      if (this.#sendings.get(nodeId) !== sending) return
      const frame = sending.refused ?? nextFrame(sending)
      sending.refused = undefined
      if (!this.#transport.send(nodeId, 'interest', frame)) {
        sending.refused = frame // `onDrain` or the end of the link follows
        return
      }
      if (sending.stage === 'done') {
        this.#sendings.delete(nodeId)
        this.#stats.snapshotsSent++
        return
      }
    }
    this.#clock.defer(() => this.#pump(nodeId, sending))
  }
}

function nextFrame(sending: Sending): Uint8Array {
  const { summary, filters } = sending.snapshot
  switch (sending.stage) {
    case 'begin':
      sending.stage = filters.length > 0 ? 'parts' : 'end'
      return encodeSummary('snapshot-begin', summary)
    case 'parts': {
      const { frame, next } = encodePart(filters, sending.next)
      sending.next = next
      if (next === filters.length) sending.stage = 'end'
      return frame
    }
    default:
      sending.stage = 'done'
      return encodeBare('snapshot-end')
  }
}
