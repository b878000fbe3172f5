import type { NodeId } from '../../src/core/ids.ts'
import type { ByteStream, ByteStreamListener } from '../../src/core/ports/byte-stream.ts'
import type { VirtualClock } from '../ports/virtual-clock.ts'
import { CLIENTS, type NetworkConditions } from './network-conditions.ts'
import { Pipe } from './pipe.ts'
import type { ProcessClock } from './process-clock.ts'

/** Bytes the kernel takes for a client that does not read, before `write` says it is enough. */
const SOCKET_BUFFER_BYTES = 64 * 1024

/** What a client hears of its socket. `writtenMs`: when the broker handed the bytes to its kernel. */
export interface SocketListener {
  onData(chunk: Uint8Array, writtenMs: number): void
  onClose(): void
}

interface Sent {
  readonly bytes: Uint8Array
  readonly onRead: () => void
}

/**
 * A TCP connection between a client and a simulated process. Bytes the process has written are in the kernel: they arrive
 * also when it dies or stops right after.
 */
export class ClientSocket {
  readonly nodeId: NodeId
  readonly stream: ByteStream
  readonly #clock: VirtualClock
  readonly #process: ProcessClock
  readonly #up: Pipe
  readonly #down: Pipe
  readonly #listener: SocketListener
  #server: ByteStreamListener | undefined
  #isPaused = false
  #kept: Sent[] = []
  /** Set while the client does not read. */
  #stalled: { chunk: Uint8Array; writtenMs: number }[] | undefined
  #stalledBytes = 0
  /** The client has closed in peace, which shows once all before it has been read. */
  #isEndDue = false
  /** The process takes no more to write. */
  #isEnding = false
  #isServerClosed = false
  #isClientClosed = false

  constructor(
    { clock, conditions }: { readonly clock: VirtualClock; readonly conditions: NetworkConditions },
    nodeId: NodeId,
    process: ProcessClock,
    listener: SocketListener,
  ) {
    this.nodeId = nodeId
    this.#clock = clock
    this.#process = process
    this.#listener = listener
    this.#up = new Pipe(clock, conditions, CLIENTS, nodeId)
    this.#down = new Pipe(clock, conditions, nodeId, CLIENTS)
    this.stream = this.#makeStream()
  }

  /** The client sends. `onRead`: the broker has it. */
  send(bytes: Uint8Array, onRead: () => void = () => undefined): void {
    if (this.#isClientClosed) return
    this.#up.push(bytes.length, () => this.#process.deliver(() => this.#arrive({ bytes, onRead })))
  }

  /** The client closes in peace. */
  end(): void {
    this.#closeFromClient(() => {
      this.#isEndDue = true
      this.#arriveKept()
    })
  }

  /** The client is gone. */
  reset(): void {
    this.#closeFromClient(() => this.#endServer('ECONNRESET'))
  }

  /** The client stops reading, or goes on. */
  setStalled(isStalled: boolean): void {
    if (isStalled) {
      this.#stalled ??= []
      return
    }
    const held = this.#stalled ?? []
    this.#stalled = undefined
    this.#stalledBytes = 0
    for (const { chunk, writtenMs } of held) this.#listener.onData(chunk, writtenMs)
    if (held.length > 0) this.#process.deliver(() => !this.#isServerClosed && this.#server?.onDrain())
  }

  /** The process died: the client hears of it. */
  crash(): void {
    this.#isServerClosed = true
    this.#down.push(0, () => this.#endClient())
  }

  #arrive(sent: Sent): void {
    if (this.#isServerClosed) return
    if (this.#isPaused || this.#kept.length > 0) this.#kept.push(sent)
    else this.#read(sent)
  }

  #read({ bytes, onRead }: Sent): void {
    onRead()
    if (bytes.length > 0) this.#server?.onData(Buffer.from(bytes))
  }

  #arriveKept(): void {
    while (!this.#isPaused && !this.#isServerClosed) {
      const sent = this.#kept.shift()
      if (sent === undefined) break
      this.#read(sent)
    }
    if (this.#isEndDue && !this.#isPaused) this.#endServer(undefined)
  }

  #closeFromClient(close: () => void): void {
    if (this.#isClientClosed) return
    this.#isClientClosed = true
    this.#up.push(0, () => this.#process.deliver(close))
  }

  #endServer(error: string | undefined): void {
    if (this.#isServerClosed) return
    this.#isServerClosed = true
    this.#server?.onClose(error)
  }

  #endClient(): void {
    if (this.#isClientClosed) return
    this.#isClientClosed = true
    this.#listener.onClose()
  }

  #closeFromServer(): void {
    if (this.#isServerClosed || this.#isEnding) return
    this.#isEnding = true
    this.#down.push(0, () => this.#endClient())
    this.#process.defer(() => this.#endServer(undefined))
  }

  #makeStream(): ByteStream {
    // Methods of a literal, whose `this` is the stream.
    // eslint-disable-next-line @typescript-eslint/no-this-alias
    const socket = this
    return {
      remote: 'sim:0',
      get pendingBytes() {
        return Math.max(0, socket.#stalledBytes - SOCKET_BUFFER_BYTES)
      },
      listen(listener) {
        socket.#server = listener
      },
      write(bytes) {
        if (socket.#isServerClosed || socket.#isEnding) return false
        const chunk = new Uint8Array(bytes)
        const writtenMs = socket.#clock.now()
        if (socket.#stalled !== undefined) socket.#stalledBytes += chunk.length
        socket.#down.push(chunk.length, () => {
          if (socket.#stalled === undefined) socket.#listener.onData(chunk, writtenMs)
          else socket.#stalled.push({ chunk, writtenMs })
        })
        return socket.#stalledBytes <= SOCKET_BUFFER_BYTES
      },
      pause() {
        socket.#isPaused = true
      },
      resume() {
        socket.#isPaused = false
        if (socket.#kept.length > 0 || socket.#isEndDue) socket.#process.defer(() => socket.#arriveKept())
      },
      end() {
        socket.#closeFromServer()
      },
      destroy() {
        socket.#closeFromServer()
      },
    }
  }
}
