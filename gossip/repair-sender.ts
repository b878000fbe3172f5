import type { NodeId } from '../src/core/ids.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { PeerTransport } from '../src/core/ports/peer-transport.ts'
import { encodePatterns, encodeRepairBegin, encodeRepairEnd, encodeSegments } from './interest-frame-codec.ts'
import type { InterestStats } from './interest-stats.ts'
import type { InterestRepair } from './local-interest.ts'

/** Parts sent before other work of the node gets its turn. */
const FRAMES_PER_TURN = 16

interface Sending {
  readonly repair: InterestRepair
  stage: 'begin' | 'segments' | 'patterns' | 'end' | 'done'
  next: number
  /** Refused by the transport, to be sent first. */
  refused: Uint8Array | undefined
}

/**
 * Streams repairs to the peers that asked, one at a time each, as fast as their links take them.
 *
 * A repair never changes while it is sent: what happens meanwhile travels as deltas with higher sequences.
 */
export class RepairSender {
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

  /** Replaces a repair still under way to the same peer. */
  send(nodeId: NodeId, repair: InterestRepair): void {
    const sending: Sending = { repair, stage: 'begin', next: 0, refused: undefined }
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
      this.#stats.repairBytesSent += frame.length
      if (sending.stage === 'done') {
        this.#sendings.delete(nodeId)
        this.#stats.repairsSent++
        return
      }
    }
    this.#clock.defer(() => this.#pump(nodeId, sending))
  }
}

function nextFrame(sending: Sending): Uint8Array {
  const { summary, segments, patterns } = sending.repair
  switch (sending.stage) {
    case 'begin':
      sending.stage = 'segments'
      return encodeRepairBegin({ ...summary, segments: segments.length, hasPatterns: patterns !== undefined })
    case 'segments':
      if (sending.next < segments.length) {
        const { frame, next } = encodeSegments(segments, sending.next)
        sending.next = next
        return frame
      }
      sending.stage = 'patterns'
      sending.next = 0
      return nextFrame(sending)
    case 'patterns':
      if (patterns !== undefined && sending.next < patterns.length) {
        const { frame, next } = encodePatterns(patterns, sending.next)
        sending.next = next
        return frame
      }
      sending.stage = 'end'
      return nextFrame(sending)
    default:
      sending.stage = 'done'
      return encodeRepairEnd()
  }
}
