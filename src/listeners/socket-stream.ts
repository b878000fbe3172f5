import type { Socket } from 'node:net'
import { systemErrorCode } from '../core/errors.ts'
import type { ByteStream, ByteStreamListener } from '../core/ports/byte-stream.ts'
import { closeDeadline } from './close-deadline.ts'
import type { ReadBuffers } from './read-buffers.ts'

const STREAM = Symbol('stream')

interface ClientSocket extends Socket {
  [STREAM]?: SocketStream
}

/**
 * A TCP or TLS connection of a client as a `ByteStream`. The event handlers are shared: one set per process, not per
 * socket.
 */
export class SocketStream implements ByteStream {
  readonly #socket: Socket
  readonly buffers: ReadBuffers
  listener: ByteStreamListener | undefined
  error: string | undefined
  /** Set once the connection is on its way out: nothing more is taken or told but its close. */
  deadline: NodeJS.Timeout | undefined

  constructor(socket: ClientSocket, buffers: ReadBuffers) {
    this.#socket = socket
    this.buffers = buffers
    socket[STREAM] = this
    // A socket refused before anybody listens may still fail, and an error without a handler ends the process.
    socket.on('error', onError).on('close', onClose)
  }

  get remote(): string {
    return `${this.#socket.remoteAddress ?? '?'}:${this.#socket.remotePort ?? 0}`
  }

  get pendingBytes(): number {
    return this.#socket.writableLength
  }

  listen(listener: ByteStreamListener): void {
    this.listener = listener
    this.#socket.on('data', onData).on('drain', onDrain).on('end', onEnd)
  }

  write(bytes: Uint8Array): boolean {
    if (this.deadline !== undefined) return false
    return this.#socket.write(bytes)
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /**
   * Half-closes, and reads on until the other side closes: closing with unread input would reset the connection, and the
   * peer could lose what was written last.
   */
  end(): void {
    if (this.deadline !== undefined || this.#socket.destroyed) return
    this.deadline = closeDeadline(this.#socket)
    this.#socket.resume()
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

function onData(this: ClientSocket, chunk: Uint8Array): void {
  const stream = this[STREAM]
  if (stream === undefined) return
  if (stream.deadline === undefined) stream.listener?.onData(chunk)
  stream.buffers.read(chunk.length)
}

function onDrain(this: ClientSocket): void {
  const stream = this[STREAM]
  if (stream?.deadline === undefined) stream?.listener?.onDrain()
}

function onEnd(this: ClientSocket): void {
  this[STREAM]?.end()
}

function onError(this: ClientSocket, error: Error): void {
  const stream = this[STREAM]
  if (stream !== undefined) stream.error = systemErrorCode(error) ?? error.message
}

function onClose(this: ClientSocket): void {
  const stream = this[STREAM]
  clearTimeout(stream?.deadline)
  stream?.listener?.onClose(stream.error)
}
