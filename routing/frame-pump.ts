import type { NodeId } from '../src/core/ids.ts'
import type { PeerChannel, PeerTransport } from '../src/core/ports/peer-transport.ts'

/** About what a source costs whatever it keeps. */
const SOURCE_BYTES = 256

interface Source {
  readonly frames: Iterator<Uint8Array>
  readonly heldBytes: number
}

/**
 * Frames for one peer on one channel, made only as fast as the transport takes them: whoever has much to say hands over an
 * iterator instead of a queue.
 */
export class FramePump {
  readonly #transport: PeerTransport
  readonly #nodeId: NodeId
  readonly #channel: PeerChannel
  #sources: Source[] = []
  #heldBytes = 0
  /** Made and not taken yet. */
  #refused: Uint8Array | undefined

  constructor(transport: PeerTransport, nodeId: NodeId, channel: PeerChannel) {
    this.#transport = transport
    this.#nodeId = nodeId
    this.#channel = channel
  }

  /** About what the sources that are not at their end hold in memory. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /** Sends these behind all others. `heldBytes`: what the source itself keeps in memory until it is at its end. */
  add(frames: Iterable<Uint8Array>, heldBytes = 0): void {
    const source = { frames: frames[Symbol.iterator](), heldBytes: heldBytes + SOURCE_BYTES }
    this.#sources.push(source)
    this.#heldBytes += source.heldBytes
    this.pump()
  }

  /** To be called when the transport takes frames again. */
  pump(): void {
    for (;;) {
      const frame = this.#refused ?? this.#next()
      if (frame === undefined) return
      this.#refused = this.#transport.send(this.#nodeId, this.#channel, frame) ? undefined : frame
      if (this.#refused !== undefined) return
    }
  }

  /** Forgets what was not sent. */
  clear(): void {
    this.#sources = []
    this.#heldBytes = 0
    this.#refused = undefined
  }

  #next(): Uint8Array | undefined {
    for (let source = this.#sources[0]; source !== undefined; source = this.#sources[0]) {
      const step = source.frames.next()
      if (step.done !== true) return step.value
      this.#sources.shift()
      this.#heldBytes -= source.heldBytes
    }
    return undefined
  }
}
