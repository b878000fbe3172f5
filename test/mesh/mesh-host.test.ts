import assert from 'node:assert/strict'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { GrapevineError } from '../../src/core/errors.ts'
import { generateHostKey, openHostKey } from '../../src/mesh/host-key.ts'
import { createMeshHost } from '../../src/mesh/mesh-host.ts'
import type { MeshHost } from '../../src/mesh/mesh-host.ts'
import { MemoryLogger } from './mesh-harness.ts'

describe('MeshHost', () => {
  const hosts: MeshHost[] = []

  afterEach(async () => {
    await Promise.all(hosts.splice(0).map(host => host.close()))
  })

  async function host(options: {
    key?: Uint8Array
    listenHost?: string
    listenPort?: number
    announceAddresses?: readonly string[]
  }): Promise<MeshHost> {
    const { key, ...rest } = options
    const privateKey = openHostKey(key ?? (await generateHostKey()))
    const logger = new MemoryLogger()
    const made = await createMeshHost({
      privateKey,
      listenHost: '127.0.0.1',
      listenPort: 0,
      ...rest,
      pubsub: () => undefined,
      logger,
    })
    hosts.push(made)
    return made
  }

  it('has the peer id of its key and a free port', async () => {
    const key = await generateHostKey()
    const [first] = [await host({ key })]
    assert.match(first.addresses.join(), /^\/ip4\/127\.0\.0\.1\/tcp\/[1-9]\d*\/p2p\/\w+$/)
    assert.ok(first.addresses[0]?.endsWith(first.peerId))
    await hosts.pop()?.close()
    assert.equal((await host({ key })).peerId, first.peerId)
    assert.notEqual((await host({})).peerId, first.peerId)
  })

  it('announces the addresses it was given instead of its own', async () => {
    const announced = await host({
      announceAddresses: ['broker.example:7883', '10.1.2.3:7883', '[fd00::1]:7884'],
    })
    assert.deepEqual(
      announced.addresses.map(address => address.split('/p2p/')[0]),
      ['/dns/broker.example/tcp/7883', '/ip4/10.1.2.3/tcp/7883', '/ip6/fd00::1/tcp/7884'],
    )
  })

  it('accepts a host name to listen on', async () => {
    assert.equal((await host({ listenHost: 'localhost' })).addresses.length, 1)
  })

  it('names the address when its port is in use', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    try {
      await assert.rejects(host({ listenPort: port }), (error: unknown) => {
        assert.ok(error instanceof GrapevineError)
        assert.equal(error.code, 'PORT_IN_USE')
        assert.ok(error.message.includes(`127.0.0.1:${port}`))
        return true
      })
    } finally {
      server.close()
    }
  })

  it('names the address when it is not of this machine', async () => {
    for (const listenHost of ['192.0.2.1', 'no-such-host.invalid']) {
      await assert.rejects(host({ listenHost }), (error: unknown) => {
        assert.ok(error instanceof GrapevineError)
        assert.equal(error.code, 'ADDRESS_UNAVAILABLE')
        assert.ok(error.message.includes(listenHost))
        return true
      })
    }
  })

  it('refuses bytes that are not a host key', () => {
    assert.throws(
      () => openHostKey(Uint8Array.of(1, 2, 3)),
      (error: unknown) => error instanceof GrapevineError && error.code === 'STORE_CORRUPT',
    )
  })

  it('survives sockets that send garbage, or are reset at any moment of the handshake', async () => {
    const target = await host({})
    const port = Number(/tcp\/(\d+)/.exec(target.addresses[0] ?? '')?.[1])
    const opening = Buffer.from('\x13/multistream/1.0.0\n\x07/noise\n')
    const sockets = Array.from({ length: 60 }, async (_, i) => {
      const socket = connect(port, '127.0.0.1').resume()
      socket.on('error', () => undefined)
      await once(socket, 'connect')
      if (i % 3 === 0) socket.write('GET / HTTP/1.1\r\n\r\n'.repeat(i))
      if (i % 3 === 1) socket.write(opening.subarray(0, i))
      if (i % 2 === 0) socket.resetAndDestroy()
      else socket.end()
      if (!socket.closed) await once(socket, 'close')
    })
    await Promise.all(sockets)
    const peer = await host({})
    for (const [a, b] of [
      [target, peer],
      [peer, target],
    ] as const) {
      a.admit([{ nodeId: 'other', incarnation: 1, peerId: b.peerId, addresses: b.addresses }])
    }
    const address = { nodeId: 'target', incarnation: 1, peerId: target.peerId, addresses: target.addresses }
    assert.equal((await peer.connect(address, AbortSignal.timeout(5000))).status, 'open')
  })
})
