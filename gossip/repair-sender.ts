import type { NodeId } from '../src/core/ids.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { PeerTransport } from '../src/core/ports/peer-transport.ts'
import { encodeAbout } from './interest-frame-codec.ts'
import type { InterestStats } from './interest-stats.ts'
import type { InterestRepair } from './local-interest.ts'
import { repairFrames } from './repair-frames.ts'

/** Parts sent before other work of the node gets its turn. */
const FRAMES_PER_TURN = 16

interface Sending {
  readonly to: NodeId
  readonly gone: NodeId | undefined
  readonly frames: Iterator<Uint8Array, void>
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
  /** By peer, and by the node that is gone and whose interest it is. */
  readonly #sendings = new Map<string, Sending>()

  constructor(transport: PeerTransport, clock: Clock, stats: InterestStats) {
    this.#transport = transport
    this.#clock = clock
    this.#stats = stats
    transport.onDrain((nodeId, channel) => {
      if (channel !== 'interest') return
      for (const [key, sending] of [...this.#sendings]) if (sending.to === nodeId) this.#pump(key, sending)
    })
  }

  /** Replaces a repair still under way to the same peer. Of this node's own interest, or of `gone`'s. */
  send(to: NodeId, repair: InterestRepair, gone?: NodeId): void {
    const sending: Sending = { to, gone, frames: framesOf(repair, gone), refused: undefined }
    const key = keyOf(to, gone)
    this.#sendings.set(key, sending)
    this.#pump(key, sending)
  }

  /** Everything to that peer. */
  cancel(to: NodeId): void {
    for (const [key, sending] of this.#sendings) if (sending.to === to) this.#sendings.delete(key)
  }

  /** Everything of that node, which is gone, to whomever. */
  cancelAbout(gone: NodeId): void {
    for (const [key, sending] of this.#sendings) if (sending.gone === gone) this.#sendings.delete(key)
  }

  #pump(key: string, sending: Sending): void {
    for (let sent = 0; sent < FRAMES_PER_TURN; sent++) {
      if (this.#sendings.get(key) !== sending) return
      const frame = sending.refused ?? sending.frames.next().value
      if (frame === undefined) {
        this.#sendings.delete(key)
        this.#stats.repairsSent++
        return
      }
      sending.refused = undefined
      if (!this.#transport.send(sending.to, 'interest', frame)) {
        sending.refused = frame // `onDrain` or the end of the link follows
        return
      }
      this.#stats.repairBytesSent += frame.length
    }
    this.#clock.defer(() => this.#pump(key, sending))
  }
}

/** A node id has no `/`. */
function keyOf(to: NodeId, gone = ''): string {
  return `${to}/${gone}`
}

function* framesOf(repair: InterestRepair, gone: NodeId | undefined): Generator<Uint8Array, void> {
  for (const frame of repairFrames(repair)) yield gone === undefined ? frame : encodeAbout(gone, frame)
}
