import { generate, parser, type Packet } from 'mqtt-packet'
import type { ByteStream, ByteStreamListener } from '../../../src/core/ports/byte-stream.ts'
import type { ProtocolVersion } from '../../../src/mqtt/wire/packet-types.ts'

/** A client at the other end of an in-memory `ByteStream`: sends packets or bytes, collects what comes. */
export class MemoryClient {
  readonly received: Packet[] = []
  readonly version: ProtocolVersion
  isClosed = false
  isPaused = false
  /** While true what the broker writes stays pending, as with a client that does not read. */
  isStalled = false
  /** Called for each packet that comes. */
  onReceived: ((packet: Packet) => void) | undefined
  #pendingBytes = 0
  #listener: ByteStreamListener | undefined
  #kept: Buffer[] = []
  readonly #parser

  constructor(version: ProtocolVersion) {
    this.version = version
    this.#parser = parser({ protocolVersion: version })
    this.#parser.on('packet', packet => {
      this.received.push(packet)
      this.onReceived?.(packet)
    })
  }

  /** The broker's end. */
  readonly stream: ByteStream = ((client: MemoryClient) => ({
    remote: 'memory:0',
    get pendingBytes() {
      return client.#pendingBytes
    },
    listen(listener: ByteStreamListener) {
      client.#listener = listener
    },
    write(bytes: Uint8Array) {
      if (client.isStalled) client.#pendingBytes += bytes.length
      else client.#parser.parse(Buffer.from(bytes))
      return !client.isStalled
    },
    pause() {
      client.isPaused = true
    },
    resume() {
      client.isPaused = false
      for (const chunk of client.#kept.splice(0)) client.sendBytes(chunk)
    },
    end() {
      client.#close(undefined)
    },
    destroy() {
      client.#close(undefined)
    },
  }))(this)

  send(packet: Packet): void {
    this.sendBytes(generate(packet, { protocolVersion: this.version }))
  }

  sendBytes(bytes: Uint8Array): void {
    if (this.isClosed) return
    if (this.isPaused) this.#kept.push(Buffer.from(bytes))
    else this.#listener?.onData(Buffer.from(bytes))
  }

  /** Vanishes without DISCONNECT. */
  vanish(): void {
    this.#close('ECONNRESET')
  }

  /** What came of one kind, oldest first. */
  of<C extends Packet['cmd']>(cmd: C): Extract<Packet, { cmd: C }>[] {
    return this.received.filter((packet): packet is Extract<Packet, { cmd: C }> => packet.cmd === cmd)
  }

  #close(error: string | undefined): void {
    if (this.isClosed) return
    this.isClosed = true
    this.#listener?.onClose(error)
  }
}
