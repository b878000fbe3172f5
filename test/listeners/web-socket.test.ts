import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { WebSocket } from 'ws'
import type { ByteStream } from '../../src/core/ports/byte-stream.ts'
import { listen } from '../../src/listeners/listen.ts'
import type { Listener } from '../../src/listeners/listener.ts'
import { testComponents } from './support/components.ts'
import { rawHttp, upgradeRequest } from './support/raw-http.ts'

const MESSAGE_BYTES_MAX = 64 * 1024

describe('WebSocket listener', () => {
  let listener: Listener
  let port: number
  let streams: ByteStream[]
  let received: string
  let closed: PromiseWithResolvers<string | undefined>
  let clients: (WebSocket | Socket)[]

  beforeEach(async () => {
    streams = []
    clients = []
    received = ''
    closed = Promise.withResolvers()
    listener = await listen(
      { protocol: 'ws', host: '127.0.0.1', port: 0, path: '/mqtt', messageBytesMax: MESSAGE_BYTES_MAX },
      testComponents(),
      stream => {
        streams.push(stream)
        stream.listen({
          onData: chunk => {
            received += Buffer.from(chunk).toString()
            if (received.endsWith('?')) stream.write(Buffer.from('answer'))
          },
          onDrain: () => {},
          onClose: closed.resolve,
        })
      },
    )
    port = Number(new URL(listener.url).port)
  })
  afterEach(async () => {
    for (const client of clients) {
      if (client instanceof WebSocket) client.terminate()
      else client.destroy()
    }
    await listener.close()
  })

  function open(subprotocols: string[] = ['mqtt'], path = '/mqtt'): WebSocket {
    const client = new WebSocket(`ws://127.0.0.1:${port}${path}`, subprotocols)
    clients.push(client)
    return client
  }

  it('says its URL', () => {
    assert.equal(listener.url, `ws://${listener.address}/mqtt`)
  })

  it('[MQTT-6.0.0-4] picks the subprotocol mqtt', async () => {
    const client = open(['other', 'mqttv3.1', 'mqtt'])
    await once(client, 'open')
    assert.equal(client.protocol, 'mqtt')
  })

  it('takes clients that only know mqttv3.1', async () => {
    const client = open(['mqttv3.1'])
    await once(client, 'open')
    assert.equal(client.protocol, 'mqttv3.1')
  })

  for (const offered of [undefined, 'other', 'MQTT', 'mqtt2', '"mqtt"']) {
    it(`[MQTT-6.0.0-3] refuses a client that offers ${offered ?? 'no subprotocol'}`, async () => {
      const answer = await rawHttp(port, upgradeRequest('/mqtt', { 'Sec-WebSocket-Protocol': offered }))
      assert.match(answer, /^HTTP\/1\.1 400 /)
      assert.match(answer, /\r\n\r\n.*subprotocol.*\n$/)
      assert.equal(streams.length, 0)
    })
  }

  it('ignores a query behind the path, and answers 404 for another path', async () => {
    await once(open(['mqtt'], '/mqtt?token=1'), 'open')
    assert.match(await rawHttp(port, upgradeRequest('/other')), /^HTTP\/1\.1 404 [^]*\/mqtt\.\n$/)
    assert.equal(streams.length, 1)
  })

  it('answers 426 in one line to plain HTTP, and closes', async () => {
    const answer = await rawHttp(port, 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    assert.match(answer, /^HTTP\/1\.1 426 Upgrade Required\r\n/)
    assert.match(answer, /\r\nUpgrade: websocket\r\n/)
    assert.match(answer, /This port speaks MQTT over WebSocket\.\n/)
  })

  it('answers 400 to what is not HTTP', async () => {
    assert.match(
      await rawHttp(port, '\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00\r\n\r\n'),
      /^HTTP\/1\.1 400 /,
    )
  })

  it('does not compress, whatever extensions are offered', async () => {
    for (const offer of ['permessage-deflate', 'constructor', '__proto__', 'permessage-deflate; =;', ',;,']) {
      const socket = connect(port, '127.0.0.1')
      clients.push(socket)
      socket.write(upgradeRequest('/mqtt', { 'Sec-WebSocket-Extensions': offer }))
      const [answer] = (await once(socket, 'data')) as [Buffer]
      assert.match(answer.toString('latin1'), /^HTTP\/1\.1 101 /, offer)
      assert.doesNotMatch(answer.toString('latin1'), /Sec-WebSocket-Extensions/i)
    }
    const client = open()
    await once(client, 'open')
    client.send(Buffer.from('?'))
    assert.equal(String((await once(client, 'message'))[0]), 'answer')
  })

  it('takes a message that came in the same segment as the upgrade request', async () => {
    const socket = connect(port, '127.0.0.1')
    clients.push(socket)
    socket.write(Buffer.concat([Buffer.from(upgradeRequest('/mqtt')), frame(0x82, Buffer.from('early?'))]))
    let answer = ''
    while (!answer.endsWith('answer')) answer += String((await once(socket, 'data'))[0])
    assert.equal(received, 'early?')
  })

  it('[MQTT-6.0.0-1] closes the connection on a text message with 1003', async () => {
    const client = open()
    await once(client, 'open')
    client.send(Buffer.from('binary '))
    client.send('text')
    client.send(Buffer.from('more'))
    assert.equal((await once(client, 'close'))[0], 1003)
    assert.match((await closed.promise) ?? '', /text/)
    assert.equal(received, 'binary ')
  })

  it('[MQTT-6.0.0-2] does not mind where messages are cut', async () => {
    const client = open()
    await once(client, 'open')
    client.send(Buffer.from('a'))
    client.send(Buffer.from('b'), { fin: false })
    client.send(Buffer.alloc(0), { fin: false })
    client.send(Buffer.from('c'), { fin: true })
    client.send(Buffer.from('d?'))
    await once(client, 'message')
    assert.equal(received, 'abcd?')
  })

  it('closes with 1009 on a message that is too large', async () => {
    const client = open()
    await once(client, 'open')
    client.send(Buffer.alloc(MESSAGE_BYTES_MAX + 1))
    assert.equal((await once(client, 'close'))[0], 1009)
    assert.ok((await closed.promise) !== undefined)
    assert.equal(received, '')
  })

  it('closes on frames that break the protocol', async () => {
    const socket = connect(port, '127.0.0.1')
    clients.push(socket)
    socket.write(upgradeRequest('/mqtt'))
    await once(socket, 'data')
    socket.resume().write(Buffer.from([0x82, 0x01, 0x41])) // not masked
    const gone = once(socket, 'close')
    assert.match((await closed.promise) ?? '', /MASK/)
    await gone
  })

  it('answers pings', async () => {
    const client = open()
    await once(client, 'open')
    client.ping('hello')
    assert.equal(String((await once(client, 'pong'))[0]), 'hello')
  })

  it('does not pile up pongs for a client that pings and never reads', async function () {
    this.timeout(20_000)
    const socket = connect(port, '127.0.0.1')
    clients.push(socket)
    socket.write(upgradeRequest('/mqtt'))
    await once(socket, 'data')
    socket.pause().on('error', () => {})
    const pings = Buffer.concat(Array.from({ length: 500 }, () => frame(0x89, Buffer.alloc(125))))
    let isOpen = true
    void closed.promise.then(() => (isOpen = false))
    while (isOpen) {
      if (!socket.destroyed) socket.write(pings)
      await new Promise(setImmediate)
      assert.ok((streams[0]?.pendingBytes ?? 0) < 1024 * 1024)
    }
  })

  it('drops connections that are not WebSockets yet when it closes, and keeps those that are', async () => {
    const client = open()
    await once(client, 'open')
    const idle = connect(port, '127.0.0.1')
    await once(idle, 'connect')
    idle.write('GET /mqtt HTTP/1.1\r\n')
    client.send(Buffer.from('?'))
    await once(client, 'message') // the other has been accepted by now
    await listener.close()
    await once(
      idle.resume().on('error', () => {}),
      'close',
    )
    client.send(Buffer.from('still?'))
    assert.equal(String((await once(client, 'message'))[0]), 'answer')
  })
})

/** A masked frame with an all-zero mask. */
function frame(head: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([head, 0x80 | payload.length, 0, 0, 0, 0]), payload])
}
