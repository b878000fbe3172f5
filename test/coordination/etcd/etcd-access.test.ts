import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readEtcdAccess, type EtcdAccessFiles } from '../../../coordination/etcd/etcd-access.ts'
import { EtcdCoordinationStore } from '../../../coordination/etcd/etcd-coordination-store.ts'
import { EtcdEndpoint } from '../../../coordination/etcd/etcd-endpoints.ts'
import { prefixRange } from '../../../coordination/etcd/etcd-messages.ts'
import { GrapevineError, type ErrorCode } from '../../../src/core/errors.ts'
import { SystemClock } from '../../../src/system/system-clock.ts'
import { SystemRandom } from '../../../src/system/system-random.ts'
import { startPrivateEtcd, type PrivateEtcd } from '../../support/private-etcd.ts'
import { CertificateAuthority, type SignedFiles } from '../support/certificate-authority.ts'
import { RecordingLogger } from '../support/recording-logger.ts'

const TOKEN_TTL_S = 1

/** That an operator is told `code` on one line which matches all of `patterns`. */
function tells(code: ErrorCode, ...patterns: RegExp[]): (error: unknown) => boolean {
  return error => {
    assert.ok(error instanceof GrapevineError, String(error))
    assert.equal(error.code, code)
    for (const pattern of [...patterns, /^[^\n]+$/]) assert.match(error.message, pattern)
    return true
  }
}

async function connect(
  endpoints: readonly string[],
  files: EtcdAccessFiles = {},
  timeoutMs = 2000,
): Promise<EtcdCoordinationStore> {
  return EtcdCoordinationStore.connect({
    endpoints,
    access: await readEtcdAccess(files, endpoints),
    probeKey: '/grapevine/test/settings/epoch',
    clock: new SystemClock(),
    random: new SystemRandom(),
    logger: new RecordingLogger(),
    timeoutMs,
  })
}

describe('access to a real etcd with TLS, client certificates and passwords', function () {
  this.timeout(60_000)
  let authority: CertificateAuthority
  let own: SignedFiles
  let etcd: PrivateEtcd
  const stores: EtcdCoordinationStore[] = []

  before(async () => {
    authority = new CertificateAuthority()
    own = authority.sign('node', 'IP:127.0.0.1')
    etcd = await startPrivateEtcd({
      tls: authority.sign('server', 'IP:127.0.0.1'),
      flags: ['--auth-token-ttl', String(TOKEN_TTL_S)],
    })
  })
  after(async () => {
    for (const store of stores) await store.close()
    await etcd.close()
    authority.remove()
  })

  const open = async (files: EtcdAccessFiles): Promise<EtcdCoordinationStore> => {
    const store = await connect([etcd.url], files)
    stores.push(store)
    return store
  }
  const askForPasswords = async (): Promise<void> => {
    const endpoint = new EtcdEndpoint(etcd.url, await readEtcdAccess(own, [etcd.url]))
    const { auth } = endpoint.client
    for (const name of ['root', 'grapevine', 'stranger']) await auth.userAdd({ name, password: 'secret' })
    await auth.userGrantRole({ user: 'root', role: 'root' })
    await auth.roleAdd({ name: 'broker' })
    const perm = { permType: 'Readwrite' as const, ...prefixRange('/grapevine/test/') }
    await auth.roleGrantPermission({ name: 'broker', perm })
    await auth.userGrantRole({ user: 'grapevine', role: 'broker' })
    await auth.authEnable()
    endpoint.client.close()
  }

  it('is had with a certificate of the authority etcd trusts', async () => {
    const store = await open(own)
    assert.equal((await store.get('/grapevine/test/x')).entry, undefined)
  })

  it('is refused without a client certificate, naming the keys to set', () =>
    assert.rejects(
      connect([etcd.url], { caFile: own.caFile }),
      tells('ETCD_REFUSED', /coordination\.etcd\.certFile and keyFile/, /127\.0\.0\.1/),
    ))

  it('is refused with a client certificate of another authority', async () => {
    const other = new CertificateAuthority()
    const files = { ...other.sign('node', 'IP:127.0.0.1'), caFile: own.caFile }
    await assert.rejects(connect([etcd.url], files), tells('ETCD_REFUSED', /coordination\.etcd\.certFile/))
    other.remove()
  })

  it('is not sought from an etcd whose certificate nobody trusted signed', () =>
    assert.rejects(connect([etcd.url]), tells('ETCD_REFUSED', /coordination\.etcd\.caFile/)))

  it('is not sought from an etcd whose certificate is for another host', () =>
    assert.rejects(
      connect([etcd.url.replace('127.0.0.1', 'localhost')], own),
      tells('ETCD_REFUSED', /for another name/, /coordination\.etcd\.endpoints/),
    ))

  it('is not had by plain HTTP, and the message thinks of https', () =>
    assert.rejects(
      connect([etcd.url.replace('https', 'http')], {}, 500),
      tells('ETCD_UNREACHABLE', /use https:\/\//),
    ))

  describe('with passwords', () => {
    const login = (username: string, password: string): EtcdAccessFiles => ({
      ...own,
      username,
      passwordFile: authority.write(`${username}.password`, `${password}\n`),
    })

    it('are refused by an etcd that asks for none', () =>
      assert.rejects(
        connect([etcd.url], login('grapevine', 'secret')),
        tells('ETCD_REFUSED', /remove coordination\.etcd\.username/),
      ))

    describe('when etcd asks for them', () => {
      before(askForPasswords)

      it('needs one', () =>
        assert.rejects(connect([etcd.url], own), tells('ETCD_REFUSED', /passwordFile/, /readwrite/)))

      it('needs the right one', () =>
        assert.rejects(
          connect([etcd.url], login('grapevine', 'wrong')),
          tells('ETCD_REFUSED', /correct coordination\.etcd\.username or what passwordFile holds/),
        ))

      it('needs a user that may read and write there', () =>
        assert.rejects(
          connect([etcd.url], login('stranger', 'secret')),
          tells('ETCD_REFUSED', /readwrite with --prefix on \/grapevine\/<cluster>\//),
        ))

      it('is enough to read, write and watch under the prefix of the cluster, also when the login ran out', async () => {
        const store = await open(login('grapevine', 'secret'))
        const put = async (key: string): Promise<string> => {
          const success = [{ type: 'put' as const, key, value: new Uint8Array([1]) }]
          const outcome = await store.transact({ compare: [], success, failure: [] })
          return outcome.outcome === 'done' ? outcome.outcome : `${outcome.outcome} ${outcome.reason}`
        }
        const { leaseId } = await store.grantLease(30_000)
        assert.equal(await put('/grapevine/test/a'), 'done')
        assert.match(await put('/grapevine/other/a'), /^unavailable .*permission denied/)

        // etcd forgets tokens that were not used for their time to live, looking once per second.
        await new Promise(resolve => setTimeout(resolve, TOKEN_TTL_S * 1000 + 2500))
        assert.equal(await put('/grapevine/test/b'), 'done')
        await new Promise(resolve => setTimeout(resolve, TOKEN_TTL_S * 1000 + 2500))
        assert.equal(await store.keepAlive(leaseId), 'alive')
        const known = await new Promise<string[]>(resolve =>
          store.watch('/grapevine/test/', {
            onReset: entries => resolve(entries.map(({ key }) => key)),
            onEvents: () => {},
          }),
        )
        assert.deepEqual(known, ['/grapevine/test/a', '/grapevine/test/b'])
        await store.revokeLease(leaseId)
      })

      it('leaves nothing that keeps a process alive', () => {
        const script = `
          import { readEtcdAccess } from './coordination/etcd/etcd-access.ts'
          import { EtcdCoordinationStore } from './coordination/etcd/etcd-coordination-store.ts'
          import { SystemClock } from './src/system/system-clock.ts'
          import { SystemRandom } from './src/system/system-random.ts'
          const silent = { debug() {}, info() {}, warn() {}, error() {}, child() { return silent } }
          const endpoints = ['${etcd.url}']
          const store = await EtcdCoordinationStore.connect({
            endpoints, access: await readEtcdAccess(${JSON.stringify(login('grapevine', 'secret'))}, endpoints),
            probeKey: '/grapevine/test/', clock: new SystemClock(), random: new SystemRandom(), logger: silent,
          })
          await store.close()
          console.log('closed')
        `
        const parameters = ['--no-deprecation', '--input-type=module-typescript', '-e', script]
        const stdout = execFileSync(process.execPath, parameters, { timeout: 10_000, encoding: 'utf8' })
        assert.equal(stdout, 'closed\n')
      })
    })
  })

  describe('files', () => {
    const endpoints = ['https://127.0.0.1:12345']
    const refuses = (files: EtcdAccessFiles, ...patterns: RegExp[]): Promise<void> =>
      assert.rejects(readEtcdAccess(files, endpoints), tells('ETCD_FILES_UNUSABLE', ...patterns))

    it('that are missing are named with their key', async () => {
      for (const key of ['caFile', 'certFile', 'keyFile'] as const) {
        const missing = { ...own, [key]: authority.path('missing') }
        await refuses(missing, new RegExp(`^coordination\\.etcd\\.${key}: .*missing does not exist`))
      }
      await refuses(
        { ...own, username: 'a', passwordFile: authority.path('missing') },
        /passwordFile: .* does not exist/,
      )
    })

    it('that cannot be read are named with the reason', () =>
      refuses({ ...own, caFile: authority.dir }, /caFile: .*EISDIR.*may read/))

    it('that are something else are named with what is expected', async () => {
      const text = authority.write('text', 'hello')
      await refuses({ ...own, caFile: text }, /caFile: .*is not a certificate/)
      await refuses({ ...own, certFile: text }, /certFile: .*is not a certificate/)
      await refuses({ ...own, keyFile: text }, /keyFile: .*is not a private key/)
      await refuses({ ...own, username: 'a', passwordFile: authority.write('two', 'a\nb\n') }, /on one line/)
      await refuses({ ...own, username: 'a', passwordFile: authority.write('none', '\n') }, /password alone/)
    })

    it('of certificate and key must belong together', () =>
      refuses(
        { ...own, keyFile: authority.sign('third', 'IP:127.0.0.1').keyFile },
        /keyFile: .*is not the key of/,
      ))
  })
})

describe('an endpoint that is no etcd', () => {
  let server: Server
  let url: string

  before(async () => {
    server = createServer((_request, response) => response.end('hello'))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  after(() => server.close())

  it('is told from an etcd that is down', () =>
    assert.rejects(connect([url], {}, 500), tells('ETCD_REFUSED', /not etcd’s client port/, /endpoints/)))

  it('that speaks no TLS is told, too', () =>
    assert.rejects(
      connect([url.replace('http', 'https')], {}, 500),
      tells('ETCD_REFUSED', /does not speak TLS; use http:/),
    ))

  it('with an unknown name is told', () =>
    assert.rejects(
      connect(['http://etcd.invalid:2379'], {}, 500),
      tells('ETCD_UNREACHABLE', /host name is not known/),
    ))
})
