import assert from 'node:assert/strict'
import { generate } from 'mqtt-packet'
import { connectFrame, field } from '../support/raw-packet.ts'
import { useBroker, versions } from './harness.ts'

/** A WebSocket that keeps the bytes it gets. */
class WebSocketClient {
  readonly #socket: WebSocket
  #bytes = Buffer.alloc(0)
  #wake: () => void = () => {}
  isClosed = false
  hasTextFrames = false

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.binaryType = 'arraybuffer'
    socket.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
      if (data instanceof ArrayBuffer) this.#bytes = Buffer.concat([this.#bytes, Buffer.from(data)])
      else this.hasTextFrames = true
      this.#wake()
    })
    socket.addEventListener('close', () => {
      this.isClosed = true
      this.#wake()
    })
  }

  static async open(port: number, protocols: string[]): Promise<WebSocketClient> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/mqtt`, protocols)
    const client = new WebSocketClient(socket)
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener('open', () => resolve())
      socket.addEventListener('error', () => reject(new Error('the WebSocket was refused')))
    })
    return client
  }

  get protocol(): string {
    return this.#socket.protocol
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    this.#socket.send(data)
  }

  close(): void {
    this.#socket.close()
  }

  /** The next bytes, once there are this many. */
  async read(length: number): Promise<Buffer> {
    await this.#until(() => this.#bytes.length >= length)
    const bytes = this.#bytes.subarray(0, length)
    this.#bytes = this.#bytes.subarray(length)
    return bytes
  }

  async closed(): Promise<void> {
    await this.#until(() => this.isClosed)
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      assert(!this.isClosed, 'the broker closed the WebSocket')
      await new Promise<void>(resolve => (this.#wake = resolve))
    }
  }
}

describe('MQTT over WebSocket (section 6)', () => {
  const broker = useBroker()

  for (const { version, over } of versions) {
    const pingreq = Buffer.from([0xc0, 0])
    const connect = (): Buffer<ArrayBuffer> =>
      Buffer.from(connectFrame({ version, payload: [field(broker.unique())] }))
    const connected = async (): Promise<WebSocketClient> => {
      const client = await WebSocketClient.open(broker.webSocketPort, ['mqtt'])
      client.send(connect())
      const start = await client.read(2)
      const connack = await client.read(start[1] as number)
      assert.equal(connack[1], 0)
      return client
    }

    it(`[MQTT-6.0.0-4] [MQTT-6.0.0-4 v3.1.1] the broker selects the subprotocol mqtt, also among others ${over}`, async () => {
      for (const protocols of [['mqtt'], ['other', 'mqtt']]) {
        const client = await WebSocketClient.open(broker.webSocketPort, protocols)
        assert.equal(client.protocol, 'mqtt')
        client.close()
      }
    })

    it(`[MQTT-6.0.0-1] [MQTT-6.0.0-1 v3.1.1] packets come in binary frames ${over}`, async () => {
      const client = await connected()
      client.send(pingreq)
      assert.deepEqual([...(await client.read(2))], [0xd0, 0])
      assert.equal(client.hasTextFrames, false)
      client.close()
    })

    it(`[MQTT-6.0.0-1] [MQTT-6.0.0-1 v3.1.1] a text frame closes the connection ${over}`, async () => {
      const client = await connected()
      client.send('\u{10}\u{0}')
      await client.closed()
      const other = await WebSocketClient.open(broker.webSocketPort, ['mqtt'])
      other.send('hello')
      await other.closed()
    })

    it(`[MQTT-6.0.0-2] [MQTT-6.0.0-2 v3.1.1] packets may be cut and joined by frames in any way ${over}`, async () => {
      const topic = broker.unique()
      const watcher = await broker.connect(version)
      await watcher.subscribe(topic)
      const client = await WebSocketClient.open(broker.webSocketPort, ['mqtt'])
      for (const byte of connect()) client.send(Buffer.from([byte]))
      const start = await client.read(2)
      assert.equal((await client.read(start[1] as number))[1], 0)
      const publishes = ['one', 'two', 'three'].map(payload =>
        generate(
          { cmd: 'publish', topic, payload, qos: 0, dup: false, retain: false },
          { protocolVersion: version },
        ),
      )
      const stream = Buffer.concat([...publishes, pingreq])
      client.send(stream.subarray(0, 7))
      client.send(Buffer.alloc(0))
      client.send(stream.subarray(7))
      assert.deepEqual([...(await client.read(2))], [0xd0, 0])
      assert.deepEqual(await watcher.drainPayloads(), ['one', 'two', 'three'])
      client.close()
    })
  }
})
