import type { NodeId } from '../src/core/ids.ts'
import type { PeerChannel, PeerTransport } from '../src/core/ports/peer-transport.ts'

/**
 * Frames for one peer on one channel, made only as fast as the transport takes them: whoever has much to say hands over an
 * iterator instead of a queue.
 */
export class FramePump {
  readonly #transport: PeerTransport
  readonly #nodeId: NodeId
  readonly #channel: PeerChannel
  #sources: Iterator<Uint8Array>[] = []
  /** Made and not taken yet. */
  #refused: Uint8Array | undefined

  constructor(transport: PeerTransport, nodeId: NodeId, channel: PeerChannel) {
    this.#transport = transport
    this.#nodeId = nodeId
    this.#channel = channel
  }

  /** Sends these behind all others. */
  add(frames: Iterable<Uint8Array>): void {
    this.#sources.push(frames[Symbol.iterator]())
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
    this.#refused = undefined
  }

  #next(): Uint8Array | undefined {
    for (let source = this.#sources[0]; source !== undefined; source = this.#sources[0]) {
      const step = source.next()
      if (step.done !== true) return step.value
      this.#sources.shift()
    }
    return undefined
  }
}
