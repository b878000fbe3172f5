import type { Stream } from '@libp2p/interface'
import { errorMessage } from '../core/errors.ts'
import { FrameReader } from './frame-reader.ts'
import { FrameWriter } from './frame-writer.ts'

export interface ChannelStreamListener {
  /** The bytes of the frame do not change any more. */
  onFrame(frame: Uint8Array): void
  /** The writer refused a frame and is below half of its limit again. */
  onDrain(): void
  /** Once, however the stream ended; nothing follows. */
  onClose(reason: string): void
}

/** A libp2p stream as a pair of frame queues. Closing is always abrupt: frames not yet sent are lost. */
export class ChannelStream {
  readonly writer: FrameWriter
  readonly #stream: Stream
  readonly #reader: FrameReader
  #listener: ChannelStreamListener
  #closed = false

  constructor(stream: Stream, listener: ChannelStreamListener) {
    this.#stream = stream
    this.#listener = listener
    this.#reader = new FrameReader(frame => this.#listener.onFrame(frame))
    this.writer = new FrameWriter(
      bytes => this.#send(bytes),
      () => this.#listener.onDrain(),
    )
    stream.addEventListener('drain', () => this.writer.resume())
    stream.addEventListener('remoteCloseWrite', () => this.close('the peer closed it'))
    stream.addEventListener('close', event => this.close(event.error?.message ?? 'the peer closed it'))
    stream.addEventListener('message', ({ data }) => {
      if (data instanceof Uint8Array) this.#read(data)
      else for (const chunk of data) this.#read(chunk)
    })
    // Its end may have come while libp2p was still handing the stream over.
    if (stream.status !== 'open') queueMicrotask(() => this.close('the peer closed it'))
  }

  /** Hands what follows to another listener. */
  relisten(listener: ChannelStreamListener): void {
    this.#listener = listener
  }

  /** Resets the stream, at both ends. */
  close(reason: string): void {
    if (this.#closed) return
    this.#closed = true
    this.#reader.stop()
    if (this.#stream.status === 'open' || this.#stream.status === 'closing')
      this.#stream.abort(new Error(reason))
    this.#listener.onClose(reason)
  }

  #read(chunk: Uint8Array): void {
    if (this.#closed) return
    const fault = this.#reader.read(chunk)
    if (fault !== undefined) this.close(fault)
  }

  #send(bytes: Uint8Array): boolean {
    if (this.#closed || this.#stream.writeStatus !== 'writable') return false
    try {
      return this.#stream.send(bytes)
    } catch (error) {
      this.close(errorMessage(error))
      return false
    }
  }
}
