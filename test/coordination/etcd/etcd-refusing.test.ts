import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Etcd3 } from 'etcd3'
import mqtt, { ErrorWithReasonCode, type MqttClient } from 'mqtt'
import { EtcdEndpoint } from '../../../coordination/etcd/etcd-endpoints.ts'
import { prefixRange } from '../../../coordination/etcd/etcd-messages.ts'
import { configSchema } from '../../../src/config/schema.ts'
import { createNode } from '../../../src/node/create-node.ts'
import type { GrapevineNode } from '../../../src/node/grapevine-node.ts'
import { startPrivateEtcd, type PrivateEtcd } from '../../support/private-etcd.ts'
import { RecordingLogger } from '../support/recording-logger.ts'

describe('an etcd that refuses a running node', function () {
  this.timeout(60_000)
  const logger = new RecordingLogger()
  let directory: string
  let etcd: PrivateEtcd
  let root: EtcdEndpoint
  let auth: Etcd3['auth']
  let node: GrapevineNode

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'grapevine-refusing-'))
    const passwordFile = join(directory, 'password')
    await writeFile(passwordFile, 'secret\n')
    etcd = await startPrivateEtcd()
    const login = { username: 'root', password: 'secret' }
    root = new EtcdEndpoint(etcd.url, { auth: login })
    auth = root.client.auth
    for (const name of ['root', 'broker']) await auth.userAdd({ name, password: 'secret' })
    await auth.userGrantRole({ user: 'root', role: 'root' })
    await auth.roleAdd({ name: 'broker' })
    const perm = { permType: 'Readwrite' as const, ...prefixRange('/grapevine/test/') }
    await auth.roleGrantPermission({ name: 'broker', perm })
    await grant()
    await auth.authEnable()
    await root.authenticate(Date.now() + 5000)
    node = await createNode(
      configSchema.parse({
        node: { id: 'node-0', cluster: 'test', dataDir: join(directory, 'node-0') },
        mqtt: { host: '127.0.0.1', port: 0 },
        mesh: { host: '127.0.0.1', port: 0 },
        admin: { port: 0 },
        coordination: {
          store: 'etcd',
          etcd: { endpoints: [etcd.url], username: 'broker', passwordFile },
        },
        auth: { anonymous: true },
      }),
      { logger },
    )
    await node.whenReady()
  })
  after(async () => {
    await node.stop()
    root.client.close()
    await etcd.close()
    await rm(directory, { recursive: true, force: true })
  })

  const grant = (): Promise<unknown> => auth.userGrantRole({ user: 'broker', role: 'broker' })
  const revoke = (): Promise<unknown> => auth.userRevokeRole({ name: 'broker', role: 'broker' })
  const connect = (clientId: string): Promise<MqttClient> =>
    mqtt.connectAsync(`mqtt://${node.mqttAddress}`, { protocolVersion: 5, clientId, reconnectPeriod: 0 })
  const isRefused = (error: unknown): boolean => error instanceof ErrorWithReasonCode && error.code === 0x88
  const get = (path: string): Promise<Response> => fetch(`${node.adminUrl}${path}`)
  const refusing = async (): Promise<string | undefined> =>
    /^grapevine_coordination_store_refusing (\d)$/m.exec(await (await get('/metrics')).text())?.[1]
  const logged = (pattern: RegExp): number => logger.lines.filter(line => pattern.test(line)).length

  it('is told of at once, by one warning, readiness and a metric; who is connected goes on', async () => {
    const connected = await connect('connected')
    assert.equal(await refusing(), '0')
    await revoke()
    for (const clientId of ['a', 'b', 'c']) await assert.rejects(connect(clientId), isRefused)
    assert.equal(
      logged(/^warn the coordination store refuses.*permission denied.*grant the user readwrite/),
      1,
    )
    const ready = await get('/ready')
    assert.equal(ready.status, 503)
    assert.match(await ready.text(), /"coordination"[^}]*permission denied[^}]*grant the user readwrite/)
    assert.equal(await refusing(), '1')
    await connected.publishAsync('topic', 'payload', { qos: 1 })
    await connected.endAsync()
  })

  it('is known to have given in without a client that tries, and then serves new ones', async () => {
    await grant()
    await node.whenReady()
    for (let i = 0; (await get('/ready')).status !== 200; i++) {
      assert.ok(i < 100, 'not ready again within 10 s')
      await new Promise(resolve => setTimeout(resolve, 100))
    }
    assert.equal(logged(/^info the coordination store grants again/), 1)
    assert.equal(await refusing(), '0')
    await (await connect('a')).endAsync()
  })
})
