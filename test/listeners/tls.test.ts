import assert from 'node:assert/strict'
import { once } from 'node:events'
import { copyFileSync, writeFileSync } from 'node:fs'
import { connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import type { ByteStream } from '../../src/core/ports/byte-stream.ts'
import { listen } from '../../src/listeners/listen.ts'
import type { Listener } from '../../src/listeners/listener.ts'
import type { TlsFiles } from '../../src/listeners/tls-files.ts'
import { Certificates } from './support/certificates.ts'
import { testComponents } from './support/components.ts'

const DAY_MS = 86_400_000

describe('TLS listener', () => {
  let certificates: Certificates
  let tls: TlsFiles
  let other: TlsFiles
  let components: ReturnType<typeof testComponents>
  let listeners: Listener[]
  let streams: ByteStream[]

  before(() => {
    certificates = new Certificates()
    tls = certificates.make('first')
    other = certificates.make('second')
  })
  after(() => certificates.remove())
  beforeEach(() => {
    components = testComponents()
    listeners = []
    streams = []
  })
  afterEach(async () => {
    for (const stream of streams) stream.destroy()
    for (const listener of listeners) await listener.close()
  })

  async function start(files: TlsFiles): Promise<Listener> {
    const listener = await listen(
      { protocol: 'mqtts', host: '127.0.0.1', port: 0, tls: files },
      components,
      stream => {
        streams.push(stream)
        stream.listen({ onData: chunk => stream.write(chunk), onDrain: () => {}, onClose: () => {} })
      },
    )
    listeners.push(listener)
    return listener
  }

  async function connectTo(listener: Listener, options = {}): Promise<TLSSocket> {
    const port = Number(new URL(listener.url).port)
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options })
    await once(socket, 'secureConnect')
    return socket
  }

  async function assertEchoes(socket: TLSSocket): Promise<void> {
    socket.write('hello')
    assert.equal(String((await once(socket, 'data'))[0]), 'hello')
  }

  it('refuses files it cannot use, naming the key and the path', async () => {
    const garbage = join(certificates.dir, 'garbage.pem')
    writeFileSync(garbage, 'garbage')
    const missing = join(certificates.dir, 'missing.pem')
    const cases: readonly (readonly [TlsFiles, 'certFile' | 'keyFile', RegExp])[] = [
      [{ ...tls, certFile: missing }, 'certFile', /does not exist/],
      [{ ...tls, keyFile: missing }, 'keyFile', /does not exist/],
      [{ ...tls, certFile: certificates.dir }, 'certFile', /cannot be read \(EISDIR\)/],
      [{ ...tls, certFile: garbage }, 'certFile', /is not a certificate/],
      [{ ...tls, certFile: tls.keyFile }, 'certFile', /is not a certificate/],
      [{ ...tls, keyFile: garbage }, 'keyFile', /is not a private key/],
      [{ ...tls, keyFile: tls.certFile }, 'keyFile', /is not a private key/],
      [{ ...tls, keyFile: certificates.encrypt(tls.keyFile) }, 'keyFile', /is encrypted/],
      [{ ...tls, keyFile: other.keyFile }, 'keyFile', /is not the key of the certificate/],
    ]
    for (const [files, key, what] of cases) {
      await assert.rejects(start(files), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'TLS_FILES_UNUSABLE')
        assert.match(error.message, what)
        assert.ok(error.message.startsWith(`mqtt.tls.${key}: ${files[key]} `), error.message)
        assert.doesNotMatch(error.message, /\n/)
        return true
      })
    }
  })

  it('names a key file that cannot be read', async () => {
    await assert.rejects(
      start({ ...tls, keyFile: certificates.dir }),
      /mqtt\.tls\.keyFile: .* cannot be read \(EISDIR\)/,
    )
  })

  it('warns of a certificate that has expired or is not valid yet, and listens', async () => {
    await start(tls)
    assert.equal(components.logger.lines.length, 0)
    components.clock.shiftMs = 3 * DAY_MS
    await start(tls)
    components.clock.shiftMs = -3 * DAY_MS
    await start(tls)
    const [expired, early] = components.logger.lines
    assert.equal(expired?.level, 'warn')
    assert.match(expired.message, /has expired/)
    assert.equal(expired.fields['path'], tls.certFile)
    assert.match(early?.message ?? '', /not valid yet/)
  })

  it('speaks TLS 1.2 and 1.3, not 1.1', async () => {
    const listener = await start(tls)
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = await connectTo(listener, { minVersion: version, maxVersion: version })
      assert.equal(socket.getProtocol(), version)
      await assertEchoes(socket)
    }
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }
    await assert.rejects(connectTo(listener, old), /alert protocol version/)
    assert.equal(streams.length, 2)
  })

  it('closes only the connection whose handshake fails, and logs that once a minute', async () => {
    const listener = await start(tls)
    const bystander = await connectTo(listener)
    const port = Number(new URL(listener.url).port)
    const failOne = async (): Promise<void> => {
      const socket = connectTcp(port, '127.0.0.1').on('error', () => {})
      socket.resume().write('\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00')
      await once(socket, 'close')
    }
    for (let i = 0; i < 5; i++) await failOne()
    assert.equal(components.logger.lines.length, 1)
    assert.equal(components.logger.lines[0]?.fields['count'], 1)
    components.clock.shiftMs += 61_000
    await failOne()
    assert.equal(components.logger.lines.length, 2)
    assert.equal(components.logger.lines[1]?.fields['count'], 5)
    await assertEchoes(bystander)
    assert.equal(streams.length, 1)
  })

  it('serves a new certificate after reload; connections stay', async () => {
    const files = {
      certFile: join(certificates.dir, 'live.crt'),
      keyFile: join(certificates.dir, 'live.key'),
    }
    const install = (from: TlsFiles): void => {
      copyFileSync(from.certFile, files.certFile)
      copyFileSync(from.keyFile, files.keyFile)
    }
    install(tls)
    const listener = await start(files)
    const before = await connectTo(listener)
    assert.equal(before.getPeerCertificate().subject.CN, 'first')
    install(other)
    await listener.reload()
    assert.equal((await connectTo(listener)).getPeerCertificate().subject.CN, 'second')
    await assertEchoes(before)
  })

  it('keeps the old certificate when reload finds unusable files', async () => {
    const files = { ...tls, certFile: join(certificates.dir, 'replaced.crt') }
    copyFileSync(tls.certFile, files.certFile)
    const listener = await start(files)
    writeFileSync(files.certFile, 'half a certific')
    await assert.rejects(listener.reload(), { code: 'TLS_FILES_UNUSABLE' })
    assert.equal((await connectTo(listener)).getPeerCertificate().subject.CN, 'first')
  })

  it('takes no connection whose handshake is under way when it closes', async () => {
    const listener = await start(tls)
    const raw = connectTcp(Number(new URL(listener.url).port), '127.0.0.1')
    await once(raw, 'connect')
    await assertEchoes(await connectTo(listener)) // the first has been accepted by now
    await listener.close()
    const socket = connect({ socket: raw, rejectUnauthorized: false }).on('error', () => {})
    await once(socket, 'close')
    assert.equal(streams.length, 1)
  })
})
