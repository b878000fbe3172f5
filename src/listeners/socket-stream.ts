import type { Socket } from 'node:net'
import type { ByteStream, ByteStreamListener } from '../core/ports/byte-stream.ts'
import { systemErrorCode } from '../core/errors.ts'

/** How long a peer may take to read the last bytes. */
const END_TIMEOUT_MS = 3000

const STREAM = Symbol('stream')

interface ClientSocket extends Socket {
  [STREAM]?: SocketStream
}

/** A TCP connection of a client as a `ByteStream`. The event handlers are shared: one set per process, not per socket. */
export class SocketStream implements ByteStream {
  readonly #socket: Socket
  listener: ByteStreamListener | undefined
  error: string | undefined

  constructor(socket: ClientSocket) {
    this.#socket = socket
    socket[STREAM] = this
  }

  get remote(): string {
    return `${this.#socket.remoteAddress ?? '?'}:${this.#socket.remotePort ?? 0}`
  }

  get pendingBytes(): number {
    return this.#socket.writableLength
  }

  listen(listener: ByteStreamListener): void {
    this.listener = listener
    this.#socket.on('data', onData).on('drain', onDrain).on('error', onError).on('close', onClose)
  }

  write(bytes: Uint8Array): boolean {
    return this.#socket.write(bytes)
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    this.#socket.resume() // a paused socket would never see the other side's end
    this.#socket.destroySoon() // closes once what was written has left …
    this.#socket.setTimeout(END_TIMEOUT_MS, () => this.#socket.destroy()) // … or when the peer does not read it
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

function onData(this: ClientSocket, chunk: Uint8Array): void {
  this[STREAM]?.listener?.onData(chunk)
}

function onDrain(this: ClientSocket): void {
  this[STREAM]?.listener?.onDrain()
}

function onError(this: ClientSocket, error: Error): void {
  const stream = this[STREAM]
  if (stream !== undefined) stream.error = systemErrorCode(error) ?? error.message
}

function onClose(this: ClientSocket): void {
  const stream = this[STREAM]
  stream?.listener?.onClose(stream.error)
}
