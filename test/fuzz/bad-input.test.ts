import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { assertRefused, BrokerUnderTest, durable, versions } from '../conformance/harness.ts'
import type { RawClient } from '../support/raw-client.ts'
import { connectFrame, field, frame, properties, property, u16 } from '../support/raw-packet.ts'
import { Bystanders } from './bystanders.ts'

const invalidLength = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x01])

describe('Bad input from a client: an error or a clean disconnect, and nobody else notices', function () {
  this.timeout(20_000)
  const broker = new BrokerUnderTest({})
  let bystanders: Bystanders
  const sockets: Socket[] = []

  before(async () => {
    await broker.start()
    bystanders = await Bystanders.start(broker.port)
  })
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy()
    await broker.dropClients()
    await bystanders.goOn()
  })
  after(async () => {
    bystanders.stop()
    await broker.stop()
  })

  async function rawSocket(port = broker.port): Promise<Socket> {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    sockets.push(socket)
    await once(socket, 'connect')
    return socket
  }

  /** Subscribes to all, and gives the payloads that came before a message of its own. */
  async function payloadsSeen(watcher: RawClient, act: () => Promise<void>): Promise<string[]> {
    await act()
    return watcher.drainPayloads()
  }

  for (const { version, over } of versions) {
    describe(over, () => {
      it('a Remaining Length of five bytes closes the connection, before and after CONNECT', async () => {
        const fresh = await broker.open(version)
        fresh.send(Buffer.concat([Buffer.from([0x10]), invalidLength]))
        await fresh.closed()
        const client = await broker.connect(version)
        client.send(Buffer.concat([Buffer.from([0x30]), invalidLength]))
        await assertRefused(client, 0x81)
      })

      it('a huge packet announced before CONNECT closes the connection at its header', async () => {
        for (const first of [0x10, 0x30]) {
          const client = await broker.open(version)
          client.send(Buffer.from([first, 0xff, 0xff, 0xff, 0x7f]))
          await client.closed()
        }
      })

      it('a packet that announces 4096 bytes and sends 3 waits, and is nothing when the client leaves', async () => {
        const topic = broker.unique()
        const watcher = await broker.connect(version)
        await watcher.subscribe(topic)
        const client = await broker.connect(version)
        client.send(Buffer.concat([Buffer.from([0x30, 0x80, 0x20]), field(topic).subarray(0, 3)]))
        assert.deepEqual(await payloadsSeen(watcher, () => bystanders.goOn()), [])
        assert.equal(client.isClosed, false)
        await client.drop()
        assert.deepEqual(await watcher.drainPayloads(), [])
      })

      it('a client identifier with wildcards is a name like others: it takes over no session but its own', async () => {
        const ids = [
          'victim/a',
          '#',
          '+',
          'victim/+',
          'victim/#',
          '$share/g/victim/a',
          '../victim/a',
          '__proto__',
        ]
        const clients: RawClient[] = []
        for (const clientId of ids) clients.push(await broker.connect(version, { clientId }))
        for (const client of clients) await client.settle()
      })

      it('a user name with wildcards is let in as anybody is, or refused', async () => {
        const client = await broker.open(version)
        const connack = await client.connect({
          clientId: broker.unique(),
          username: '#/+',
          password: Buffer.from('+'),
        })
        if ((connack.reasonCode ?? connack.returnCode) === 0) await client.settle()
        else await client.closed()
      })

      it('every QoS 2 duplicate before PUBREL gets its PUBREC, and one message comes of them', async () => {
        const topic = broker.unique()
        const watcher = await broker.connect(version)
        await watcher.subscribe(topic)
        const client = await broker.connect(version)
        for (let copy = 0; copy < 5; copy++) {
          client.publish(topic, 'once', { qos: 2, messageId: 7, dup: copy > 0 })
          assert.equal((await client.expect('pubrec')).messageId, 7)
        }
        client.send({ cmd: 'pubrel', messageId: 7 })
        await client.expect('pubcomp')
        assert.deepEqual(await watcher.drainPayloads(), ['once'])
      })

      it('DUP under an identifier that was never seen is a message like others', async () => {
        const topic = broker.unique()
        const watcher = await broker.connect(version)
        await watcher.subscribe(topic)
        const client = await broker.connect(version)
        await client.publishThrough(topic, 'one', { qos: 1, messageId: 11, dup: true })
        await client.publishThrough(topic, 'two', { qos: 2, messageId: 12, dup: true })
        assert.deepEqual(await watcher.drainPayloads(), ['one', 'two'])
      })

      it('PUBREL without end under identifiers that were never used is answered each time', async () => {
        const client = await broker.connect(version)
        for (let messageId = 1; messageId <= 300; messageId++) client.send({ cmd: 'pubrel', messageId })
        const answers = (await client.drain()).map(({ cmd, messageId }) => `${cmd} ${messageId ?? 0}`)
        assert.deepEqual(
          answers,
          Array.from({ length: 300 }, (_, i) => `pubcomp ${i + 1}`),
        )
      })

      it('a will to $SYS is refused', async () => {
        const client = await broker.open(version)
        const will = [
          ...(version === 5 ? [Buffer.from([0])] : []),
          field('$SYS/broker/version'),
          field('lie'),
        ]
        client.send(connectFrame({ version, flags: 0x06, payload: [field(broker.unique()), ...will] }))
        const answers = await client.closed()
        for (const answer of answers) {
          assert(answer.cmd === 'connack')
          assert.notEqual(answer.reasonCode ?? answer.returnCode, 0)
        }
      })

      it('a topic of control characters and non-characters is relayed as it is, or refused', async () => {
        const topic = `${broker.unique()}/\u{1}\u{7f}\u{9f}\u{fffe}\u{ffff}`
        const watcher = await broker.connect(version)
        await watcher.subscribe(topic)
        const client = await broker.connect(version)
        client.publish(topic, 'strange')
        const answer = await client.settle().then(
          () => 'taken',
          () => 'refused',
        )
        assert.deepEqual(await watcher.drainPayloads(), answer === 'taken' ? ['strange'] : [])
      })

      it('Keep Alive 65535 is taken', async () => {
        const client = await broker.connect(version, { keepalive: 65_535 })
        await client.settle()
      })

      it('a client that half-closes is closed', async () => {
        const socket = await rawSocket()
        socket.resume()
        socket.end(connectFrame({ version, payload: [field(broker.unique())] }))
        await once(socket, 'close')
      })

      it('connections that send nothing, half a CONNECT, or all one client identifier, do not keep others out', async () => {
        const connecting = connectFrame({ version, payload: [field('flood')] })
        for (let i = 0; i < 300; i++) {
          const socket = await rawSocket()
          socket.resume()
          if (i % 3 === 1) socket.write(connecting.subarray(0, 9))
          if (i % 3 === 2) socket.write(connecting)
        }
        await bystanders.goOn()
        const client = await broker.connect(version)
        await client.settle()
      })

      it('a subscriber that never reads holds up neither the publisher nor the others', async () => {
        const topic = broker.unique()
        const slow = await rawSocket()
        slow.pause()
        slow.write(connectFrame({ version, payload: [field(broker.unique())] }))
        slow.write(frame(0x82, u16(1), properties(version), field(topic), Buffer.from([0])))
        const client = await broker.connect(version)
        await bystanders.goOn()
        const payload = Buffer.alloc(256 * 1024)
        for (let i = 0; i < 100; i++) {
          client.publish(topic, payload)
          if (i % 10 === 9) await client.settle()
        }
      })

      it('a subscriber that never answers PUBLISH gets no more than its window, and holds up nobody', async () => {
        const topic = broker.unique()
        const silent = await broker.resume(version, broker.unique(), false)
        await silent.subscribe(topic, { qos: 2 })
        const client = await broker.connect(version)
        for (let i = 1; i <= 100; i++) await client.publishThrough(topic, String(i), { qos: 2, messageId: i })
        const got = await silent.drainPayloads()
        assert(got.length > 0 && got.length < 100, `${got.length} messages`)
        assert.deepEqual(
          got,
          Array.from(got, (_, i) => String(i + 1)),
        )
      })

      it('20,000 subscriptions of one session leave with it', async () => {
        const prefix = broker.unique()
        const client = await broker.connect(version)
        for (let packet = 0; packet < 40; packet++) {
          const list = Array.from({ length: 500 }, (_, i) => ({
            topic: `${prefix}/${packet}/${i}/+`,
            qos: 0 as const,
          }))
          await client.subscribe(list, { messageId: packet + 1 })
        }
        await bystanders.goOn()
        await client.disconnect()
      })

      it('names that are members of every object are topics, filters, and clients', async () => {
        const names = ['__proto__', 'constructor', 'hasOwnProperty', 'toString', 'valueOf']
        const watcher = await broker.resume(version, '__proto__', false, { clean: false })
        for (const name of names) {
          await watcher.subscribe(`${name}/+/${name}`)
          const client = await broker.resume(version, `${name}-${broker.unique()}`, false, { username: name })
          await client.publishThrough(`${name}/${name}/${name}`, name, { qos: 1 })
        }
        assert.deepEqual(await watcher.drainPayloads(), names)
        await watcher.drop()
        const resumed = await broker.resume(version, '__proto__', true)
        await resumed.disconnect()
        const ended = await broker.connect(version, { ...durable(version, '__proto__'), clean: true })
        await ended.disconnect()
      })
    })
  }

  it('thousands of user properties close the connection with 0x82', async () => {
    const one = property(0x26, Buffer.concat([field('__proto__'), field('x')]))
    const many = Array.from({ length: 5000 }, () => one)
    const topic = broker.unique()
    for (const packet of [
      frame(0x30, field(topic), properties(5, ...many)),
      frame(0x82, u16(1), properties(5, ...many), field(topic), Buffer.from([0])),
      frame(0xe0, Buffer.from([0]), properties(5, ...many)),
    ]) {
      const client = await broker.connect(5)
      client.send(packet)
      await assertRefused(client, 0x82)
    }
    const fresh = await broker.open(5)
    fresh.send(connectFrame({ version: 5, properties: many, payload: [field(broker.unique())] }))
    await fresh.closed()
  })

  it('a will whose delay is above the session expiry comes when the session ends', async () => {
    const topic = broker.unique()
    const watcher = await broker.connect(5)
    await watcher.subscribe(topic)
    const client = await broker.connect(5, {
      properties: { sessionExpiryInterval: 1 },
      will: {
        topic,
        payload: Buffer.from('gone'),
        qos: 0,
        retain: false,
        properties: { willDelayInterval: 0xffff_ffff },
      },
    })
    await client.drop()
    assert.equal(String((await watcher.expect('publish')).payload), 'gone')
  })

  describe('over WebSocket', () => {
    const request = (extensions: string): string =>
      [
        'GET /mqtt HTTP/1.1',
        'Host: localhost',
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        'Sec-WebSocket-Protocol: mqtt',
        ...(extensions === '' ? [] : [`Sec-WebSocket-Extensions: ${extensions}`]),
        '\r\n',
      ].join('\r\n')

    async function upgraded(extensions = ''): Promise<{ socket: Socket; head: string }> {
      const socket = await rawSocket(broker.webSocketPort)
      socket.write(request(extensions))
      const [head] = (await once(socket, 'data')) as [Buffer]
      return { socket, head: String(head) }
    }

    /** One frame with an all-zero mask; `first` has FIN, the reserved bits and the opcode. */
    const webSocketFrame = (payload: Buffer, first = 0x82): Buffer =>
      Buffer.concat([Buffer.from([first, 0xfe]), u16(payload.length), Buffer.alloc(4), payload])

    it('extensions with names that every object has are not agreed to', async () => {
      for (const extensions of [
        'constructor',
        '__proto__',
        'toString; x=1',
        'permessage-deflate, constructor',
        ';;,"',
      ]) {
        const { head } = await upgraded(extensions)
        assert.match(head, /^HTTP\/1\.1 (101|400) /)
        assert.doesNotMatch(head, /sec-websocket-extensions/i)
      }
      assert.match((await upgraded()).head, /^HTTP\/1\.1 101 /)
    })

    it('a frame that claims to be compressed closes the connection', async () => {
      const { socket } = await upgraded('permessage-deflate')
      socket.write(webSocketFrame(Buffer.alloc(100), 0xc2))
      socket.resume()
      await once(socket, 'close')
    })

    it('a packet that announces 4096 bytes and sends 3 waits, and one of five length bytes closes', async () => {
      const connecting = connectFrame({ version: 5, payload: [field(broker.unique())] })
      const { socket } = await upgraded()
      socket.write(webSocketFrame(connecting))
      await once(socket, 'data')
      socket.write(webSocketFrame(Buffer.from([0x30, 0x80, 0x20, 0, 1, 0x61])))
      await bystanders.goOn()
      assert.equal(socket.destroyed, false)
      const other = (await upgraded()).socket
      other.write(webSocketFrame(Buffer.concat([Buffer.from([0x10]), invalidLength])))
      other.resume()
      await once(other, 'close')
    })
  })
})
