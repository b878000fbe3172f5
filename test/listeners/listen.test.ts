import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { ByteStream } from '../../src/core/ports/byte-stream.ts'
import { listen } from '../../src/listeners/listen.ts'
import type { Listener } from '../../src/listeners/listener.ts'
import { Certificates } from './support/certificates.ts'
import { testComponents } from './support/components.ts'

const WEB_SOCKET = { path: '/mqtt', messageBytesMax: 1024 }

describe('listen', () => {
  let certificates: Certificates
  let listeners: Listener[]
  let smallProcess: ChildProcess | undefined
  before(() => (certificates = new Certificates()))
  after(() => certificates.remove())
  beforeEach(() => (listeners = []))
  afterEach(async () => {
    for (const listener of listeners) await listener.close()
    smallProcess?.kill()
  })

  async function listenTcp(
    port = 0,
    onConnection = (stream: ByteStream): void => stream.destroy(),
  ): Promise<Listener> {
    const options = { protocol: 'mqtt', host: '127.0.0.1', port } as const
    const listener = await listen(options, testComponents(), onConnection)
    listeners.push(listener)
    return listener
  }

  it('says the address it is bound to, and names the key of a port in use', async () => {
    const tls = certificates.make('server')
    const taken = await listenTcp()
    const host = '127.0.0.1'
    const port = Number(new URL(taken.url).port)
    assert.equal(taken.url, `mqtt://127.0.0.1:${port}`)
    const cases = [
      [{ protocol: 'mqtt', host, port }, '--mqtt.port', /^mqtt:\/\/127\.0\.0\.1:\d+$/],
      [{ protocol: 'mqtts', host, port, tls }, '--mqtt.tls.port', /^mqtts:\/\/127\.0\.0\.1:\d+$/],
      [{ protocol: 'ws', host, port, ...WEB_SOCKET }, '--mqtt.ws.port', /^ws:\/\/127\.0\.0\.1:\d+\/mqtt$/],
      [
        { protocol: 'wss', host, port, ...WEB_SOCKET, tls },
        '--mqtt.wss.port',
        /^wss:\/\/127\.0\.0\.1:\d+\/mqtt$/,
      ],
    ] as const
    for (const [options, flag, url] of cases) {
      await assert.rejects(
        listen(options, testComponents(), () => {}),
        {
          code: 'PORT_IN_USE',
          message: `127.0.0.1:${port} is in use by another process; stop it, or choose another port with ${flag}`,
        },
      )
      const listener = await listen({ ...options, port: 0 }, testComponents(), () => {})
      listeners.push(listener)
      assert.match(listener.url, url)
      assert.ok(listener.url.includes(listener.address))
    }
  })

  it('names an address that is not of this machine', async () => {
    const options = { protocol: 'mqtt', host: '192.0.2.1', port: 0 } as const
    await assert.rejects(
      listen(options, testComponents(), () => {}),
      { code: 'ADDRESS_UNAVAILABLE' },
    )
  })

  it('frees its port at once when it closes; connections taken stay', async () => {
    const listener = await listenTcp(0, stream => {
      stream.listen({ onData: chunk => stream.write(chunk), onDrain: () => {}, onClose: () => {} })
    })
    const port = Number(new URL(listener.url).port)
    const client = connect(port, '127.0.0.1')
    client.write('a')
    await once(client, 'data')
    await listener.close()
    await listenTcp(port)
    client.write('b')
    assert.equal(String((await once(client, 'data'))[0]), 'b')
    client.destroy()
  })

  it('survives connections that are refused at once and reset by the client', async () => {
    const listener = await listenTcp(0, stream => {
      stream.write(Buffer.from('x'))
      stream.end()
    })
    const port = Number(new URL(listener.url).port)
    for (let i = 0; i < 50; i++) {
      const client = connect(port, '127.0.0.1')
      await once(client, 'connect')
      client.resetAndDestroy()
    }
    const client = connect(port, '127.0.0.1')
    assert.equal(String((await once(client, 'data'))[0]), 'x')
    client.destroy()
  })

  it('goes on after the process ran out of file descriptors', async () => {
    const program = fileURLToPath(new URL('support/small-process.ts', import.meta.url))
    const child = spawn('sh', ['-c', 'ulimit -n 60; exec "$0" "$1"', process.execPath, program], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    smallProcess = child
    const [url] = (await once(child.stdout, 'data')) as [Buffer]
    const port = Number(new URL(url.toString().trim()).port)
    const clients = Array.from({ length: 100 }, () =>
      connect(port, '127.0.0.1')
        .on('error', () => {})
        .resume(),
    )
    await Promise.race(clients.map(closed)) // there was no descriptor left for one
    for (const client of clients) if (!client.closed) await closed(client.destroy())
    let answer = ''
    while (answer !== 'hello') answer = await echo(port)
    child.stdin.end()
    assert.deepEqual(await once(child, 'exit'), [0, null])
  })
})

/** Unlike `once`, not disturbed by an error: a listener without descriptors may reset what it closes. */
async function closed(socket: Socket): Promise<void> {
  await new Promise<void>(resolve => socket.once('close', () => resolve()))
}

/** What a listener that echoes answers to `hello`; empty when it closes instead. */
async function echo(port: number): Promise<string> {
  const client = connect(port, '127.0.0.1')
  client.on('error', () => {}).write('hello')
  const data = new Promise<string>(resolve => client.once('data', bytes => resolve(String(bytes))))
  const answer = await Promise.race([data, closed(client).then(() => '')])
  client.destroy()
  return answer
}
