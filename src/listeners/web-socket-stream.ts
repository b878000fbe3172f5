import type { Socket } from 'node:net'
import type { RawData, WebSocket } from 'ws'
import { systemErrorCode } from '../core/errors.ts'
import type { ByteStream, ByteStreamListener } from '../core/ports/byte-stream.ts'
import { closeDeadline } from './close-deadline.ts'

/** Closing codes of RFC 6455 section 7.4.1. */
const NORMAL_CLOSURE = 1000
const UNSUPPORTED_DATA = 1003
/** Normal, going away, no code, and no closing frame at all, as when a TCP connection just ends. */
const ORDERLY: ReadonlySet<number> = new Set([NORMAL_CLOSURE, 1001, 1005, 1006])

const BINARY = { binary: true, compress: false } as const

const STREAM = Symbol('stream')

interface ClientSocket extends Socket {
  [STREAM]?: WebSocketStream
}

interface ClientWebSocket extends WebSocket {
  [STREAM]?: WebSocketStream
}

/**
 * A WebSocket of a client as a `ByteStream`: the payloads of its binary messages, one after the other, whatever their
 * boundaries [MQTT-6.0.0-2]. A text message closes the connection [MQTT-6.0.0-1]. Each `write` is one message.
 *
 * The library hands out all messages of a chunk in one go, so those that come while the stream is paused are held here,
 * and so is the close behind them.
 */
export class WebSocketStream implements ByteStream {
  readonly #webSocket: WebSocket
  readonly #socket: Socket
  #listener: ByteStreamListener | undefined
  #error: string | undefined
  #isPaused = false
  /** Nothing more is taken or told but the close. */
  #isEnding = false
  #held: Uint8Array[] | undefined
  #closesAfterHeld = false
  #deadline: NodeJS.Timeout | undefined

  /** `socket` is what `webSocket` runs on. */
  constructor(webSocket: ClientWebSocket, socket: ClientSocket) {
    this.#webSocket = webSocket
    this.#socket = socket
    webSocket[STREAM] = this
    socket[STREAM] = this
    webSocket.on('message', onMessage).on('error', onError).on('close', onClose)
    socket.on('drain', onDrain).on('error', onSocketError).on('end', onEnd)
  }

  get remote(): string {
    return `${this.#socket.remoteAddress ?? '?'}:${this.#socket.remotePort ?? 0}`
  }

  /** Counts what the library and the socket hold: the library does not copy what it is given. */
  get pendingBytes(): number {
    return this.#webSocket.bufferedAmount
  }

  listen(listener: ByteStreamListener): void {
    this.#listener = listener
  }

  write(bytes: Uint8Array): boolean {
    const webSocket = this.#webSocket
    // What is sent after the closing frame is never sent, yet the library would count it as buffered.
    if (webSocket.readyState !== webSocket.OPEN) return false
    webSocket.send(bytes, BINARY)
    return !this.#socket.writableNeedDrain
  }

  pause(): void {
    this.#isPaused = true
    this.#webSocket.pause()
  }

  resume(): void {
    this.#isPaused = false
    if (this.#held === undefined) this.#webSocket.resume()
    else process.nextTick(deliverHeld, this)
  }

  end(): void {
    this.#end(NORMAL_CLOSURE)
  }

  destroy(): void {
    this.#abandonInput()
    this.#webSocket.terminate()
  }

  /** A message came. */
  received(bytes: Uint8Array): void {
    if (this.#isEnding || bytes.length === 0) return
    if (this.#isPaused || this.#held !== undefined) (this.#held ??= []).push(bytes)
    else this.#listener?.onData(bytes)
  }

  /** A text message came. */
  receivedText(): void {
    if (this.#isEnding) return
    this.#error = 'a WebSocket message was text, not binary'
    this.#end(UNSUPPORTED_DATA)
  }

  drained(): void {
    if (!this.#isEnding) this.#listener?.onDrain()
  }

  /** The connection broke, or the peer broke the WebSocket protocol; the library closes it. */
  failed(reason: string): void {
    this.#error ??= reason
    this.#abandonInput()
  }

  /** The peer's side of the TCP connection ended. What was written may still leave, for a while. */
  ended(): void {
    this.#deadline ??= closeDeadline(this.#socket)
  }

  closed(code: number): void {
    clearTimeout(this.#deadline)
    if (!ORDERLY.has(code)) this.#error ??= `closed by the client with code ${code}`
    if (this.#held === undefined) this.#listener?.onClose(this.#error)
    else this.#closesAfterHeld = true
  }

  /** Hands out what came while the stream was paused, and goes on as if it came now. */
  deliverHeld(): void {
    while (this.#held !== undefined && !this.#isPaused) {
      const bytes = this.#held.shift()
      if (bytes !== undefined) {
        this.#listener?.onData(bytes)
        continue
      }
      this.#held = undefined
      if (this.#closesAfterHeld) this.#listener?.onClose(this.#error)
      else this.#webSocket.resume()
    }
  }

  #end(code: number): void {
    this.#abandonInput()
    this.#isPaused = false
    this.#webSocket.resume() // a paused socket would never see the other side's closing frame
    this.#webSocket.close(code) // the library closes the socket when no answer comes
  }

  #abandonInput(): void {
    this.#isEnding = true
    if (this.#held === undefined) return
    this.#held = undefined
    if (this.#closesAfterHeld) process.nextTick(tellClosed, this.#listener, this.#error)
  }
}

function deliverHeld(stream: WebSocketStream): void {
  stream.deliverHeld()
}

function tellClosed(listener: ByteStreamListener | undefined, error: string | undefined): void {
  listener?.onClose(error)
}

function onMessage(this: ClientWebSocket, data: RawData, isBinary: boolean): void {
  if (isBinary)
    this[STREAM]?.received(data as Buffer) // its binaryType is nodebuffer
  else this[STREAM]?.receivedText()
}

function onError(this: ClientWebSocket, error: Error): void {
  this[STREAM]?.failed(error.message)
}

function onClose(this: ClientWebSocket, code: number): void {
  this[STREAM]?.closed(code)
}

function onDrain(this: ClientSocket): void {
  this[STREAM]?.drained()
}

function onSocketError(this: ClientSocket, error: Error): void {
  this[STREAM]?.failed(systemErrorCode(error) ?? error.message)
}

function onEnd(this: ClientSocket): void {
  this[STREAM]?.ended()
}
