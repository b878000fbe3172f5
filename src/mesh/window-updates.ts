/**
 * Holds back yamux window updates until they are worth sending.
 *
 * Our yamux grants the window anew after every data frame, so that a link of small messages carries as many answers as
 * messages, each encrypted and written by itself. Its receiver needs none of them before the window is nearly used up
 * (yamux, "Flow Control"): what is held back is added to the next one. Invariant: less than a quarter of the smallest window
 * is held back on a stream, so its sender always has three quarters.
 */

const HEADER_BYTES = 12
const TYPE_WINDOW_UPDATE = 1
/** A quarter of the window every yamux stream begins with, 256 KiB. */
const HELD_BYTES_MAX = 64 * 1024
/** Streams of one connection with something held back; updates of further ones pass at once. */
const STREAMS_MAX = 64

export class WindowUpdates {
  /** Stream id → bytes its sender may be granted. */
  readonly #held = new Map<number, number>()

  /**
   * Looks at one frame, as yamux made it, on its way out. True: nothing is sent for now. False: it is sent, with what was held
   * back for its stream added to it.
   */
  hold(frame: Uint8Array): boolean {
    if (frame.length !== HEADER_BYTES || frame[1] !== TYPE_WINDOW_UPDATE) return false
    const view = new DataView(frame.buffer, frame.byteOffset, HEADER_BYTES)
    const flags = view.getUint16(2)
    const streamId = view.getUint32(4)
    const held = this.#held.get(streamId)
    const bytes = (held ?? 0) + view.getUint32(8)
    const mayBeHeld = held !== undefined || this.#held.size < STREAMS_MAX
    // Flags open and close a stream.
    if (flags === 0 && bytes < HELD_BYTES_MAX && mayBeHeld) {
      this.#held.set(streamId, bytes)
      return true
    }
    if (held !== undefined) {
      this.#held.delete(streamId)
      if (flags === 0) view.setUint32(8, bytes)
    }
    return false
  }
}
