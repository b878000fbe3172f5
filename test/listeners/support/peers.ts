import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { WebSocket } from 'ws'
import type { ByteStreamPeer } from '../../contract/byte-stream-contract.ts'

/** Connects to a listener's URL, whatever its protocol. */
export async function connectPeer(url: string): Promise<ByteStreamPeer> {
  const { protocol, hostname, port } = new URL(url)
  const raw = connectTcp(Number(port), hostname)
  await once(raw, 'connect')
  let socket = raw
  if (protocol === 'mqtts:' || protocol === 'wss:') {
    socket = connectTls({ socket: raw, rejectUnauthorized: false })
    await once(socket, 'secureConnect')
  }
  if (protocol.startsWith('mqtt')) return new SocketPeer(socket, raw)
  const webSocket = new WebSocket(url, 'mqtt', { createConnection: () => socket, perMessageDeflate: false })
  const peer = new WebSocketPeer(webSocket, socket, raw)
  await once(webSocket, 'open')
  return peer
}

class SocketPeer implements ByteStreamPeer {
  onChange = (): void => {}
  isClosed = false
  readonly #socket: Socket
  readonly #raw: Socket
  #received: Buffer[] = []

  constructor(socket: Socket, raw: Socket) {
    this.#socket = socket
    this.#raw = raw
    socket.on('data', (chunk: Buffer) => {
      this.#received.push(chunk)
      this.onChange()
    })
    socket.on('close', () => {
      this.isClosed = true
      this.onChange()
    })
    socket.on('error', () => {})
  }

  get pendingBytes(): number {
    return this.#socket.writableLength
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes)
  }

  received(): Buffer {
    this.#received = [Buffer.concat(this.#received)]
    return this.#received[0] as Buffer
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    this.#socket.end()
  }

  reset(): void {
    this.#raw.resetAndDestroy()
  }
}

/** Sends every other message in fragments. */
class WebSocketPeer implements ByteStreamPeer {
  onChange = (): void => {}
  isClosed = false
  readonly #webSocket: WebSocket
  readonly #socket: Socket
  readonly #raw: Socket
  #received: Buffer[] = []
  #writeCount = 0

  constructor(webSocket: WebSocket, socket: Socket, raw: Socket) {
    this.#webSocket = webSocket
    this.#socket = socket
    this.#raw = raw
    webSocket.on('message', chunk => {
      this.#received.push(chunk as Buffer)
      this.onChange()
    })
    webSocket.on('close', () => {
      this.isClosed = true
      this.onChange()
    })
    webSocket.on('error', () => {})
  }

  get pendingBytes(): number {
    return this.#socket.writableLength
  }

  write(bytes: Uint8Array): void {
    const half = bytes.length >> 1
    // A message that is larger than the server takes would be refused.
    for (let at = 0; at < bytes.length; at += 1_000_000) {
      const message = bytes.subarray(at, at + 1_000_000)
      if (this.#writeCount++ % 2 === 0) {
        this.#webSocket.send(message)
      } else {
        this.#webSocket.send(message.subarray(0, half), { fin: false })
        this.#webSocket.send(message.subarray(half))
      }
    }
    if (bytes.length === 0) this.#webSocket.send(bytes)
  }

  received(): Buffer {
    this.#received = [Buffer.concat(this.#received)]
    return this.#received[0] as Buffer
  }

  pause(): void {
    this.#webSocket.pause()
  }

  resume(): void {
    this.#webSocket.resume()
  }

  end(): void {
    this.#webSocket.close()
  }

  reset(): void {
    this.#raw.resetAndDestroy()
  }
}
