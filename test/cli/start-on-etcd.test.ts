import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeFile } from 'node:fs/promises'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { EtcdEndpoint } from '../../coordination/etcd/etcd-endpoints.ts'
import { startPrivateEtcd, type PrivateEtcd } from '../support/private-etcd.ts'
import { cleanEnvironment, grapevine, runCli, type CliResult } from './run-cli.ts'

/** What an operator sees of `grapevine start` when etcd, or the node's own past, is not as it should be. */
describe('grapevine start on etcd', function () {
  this.timeout(60_000)
  let directory: string
  let etcd: PrivateEtcd
  const running: ChildProcess[] = []

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'grapevine-start-'))
    etcd = await startPrivateEtcd()
  })
  after(async () => {
    for (const child of running) {
      if (child.exitCode !== null) continue
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    await etcd.close()
    await rm(directory, { recursive: true, force: true })
  })

  function startArguments(nodeId: string, dataDir: string, more: readonly string[] = []): string[] {
    const flags = {
      'node.id': nodeId,
      'node.dataDir': join(directory, dataDir),
      'mqtt.host': '127.0.0.1',
      'mqtt.port': '0',
      'mesh.host': '127.0.0.1',
      'mesh.port': '0',
      'admin.port': '0',
      'coordination.store': 'etcd',
      'coordination.etcd.endpoints': etcd.url,
      'coordination.leaseTtlMs': '2000',
      'coordination.renewIntervalMs': '500',
      'coordination.leaseMarginMs': '300',
      'auth.anonymous': 'true',
      'log.format': 'json',
    }
    return ['start', ...Object.entries(flags).flatMap(([key, value]) => [`--${key}`, value]), ...more]
  }

  const start = (...args: Parameters<typeof startArguments>): Promise<CliResult> =>
    runCli(startArguments(...args))

  /** Starts a node that stays; resolves once it is ready. */
  async function run(...args: Parameters<typeof startArguments>): Promise<ChildProcess> {
    const child = spawn(process.execPath, [grapevine, ...startArguments(...args)], {
      env: cleanEnvironment(),
    })
    running.push(child)
    let output = ''
    await new Promise<void>((resolve, reject) => {
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text
        if (/^ready$/m.test(output)) resolve()
      })
      child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text))
      child.once('exit', code => reject(new Error(`exited with ${code}: ${output}`)))
    })
    return child
  }

  /** Exit 1 and, as its last line, one that says all this. */
  function assertFault({ code, stderr }: CliResult, ...patterns: RegExp[]): void {
    const last = stderr.trimEnd().split('\n').at(-1) ?? ''
    assert.equal(code, 1, stderr)
    for (const pattern of patterns) assert.match(last, pattern)
  }

  it('ends with 1 when etcd cannot be reached, naming the endpoint and what to do', async () => {
    const more = [
      '--coordination.etcd.endpoints',
      'http://127.0.0.1:9',
      '--coordination.etcd.timeoutMs',
      '500',
    ]
    assertFault(
      await start('a', 'unreachable', more),
      /127\.0\.0\.1:9/,
      /start etcd, or correct the endpoint/,
    )
  })

  it('ends with 1 for the data directory of another cluster, node or coordination', async () => {
    const child = await run('a', 'a')
    const stopped = once(child, 'exit')
    child.kill('SIGTERM')
    await stopped
    assertFault(
      await start('a', 'a', ['--node.cluster', 'other']),
      /belongs to cluster "grapevine", this node has cluster "other"/,
      /--node\.dataDir/,
    )
    assertFault(await start('b', 'a'), /belongs to node "a", this node has node "b"/)
    assertFault(await start('a', 'a', ['--coordination.store', 'embedded']), /belongs to coordination "etcd"/)
  })

  it('ends with 1 when a living node has its id, whose clients are not disturbed', async () => {
    const child = await run('twin', 'twin-1')
    assertFault(await start('twin', 'twin-2'), /twin/, /node\.id/)
    assert.equal(child.exitCode, null)
  })

  it('takes nodes of another cluster name for strangers, though they share one etcd', async () => {
    await run('same-id', 'one')
    await run('same-id', 'two', ['--node.cluster', 'other'])
  })

  describe('that asks for passwords', () => {
    before(async () => {
      const { client } = new EtcdEndpoint(etcd.url, {})
      await client.auth.userAdd({ name: 'root', password: 'secret' })
      await client.auth.userGrantRole({ user: 'root', role: 'root' })
      await client.auth.authEnable()
      client.close()
      await writeFile(join(directory, 'wrong'), 'guess\n')
    })

    it('ends with 1 without one, naming the keys to set', async () => {
      assertFault(await start('a', 'a'), /coordination\.etcd\.username and passwordFile/)
    })

    it('ends with 1 with a wrong one, naming where it is', async () => {
      const login = [
        '--coordination.etcd.username',
        'root',
        '--coordination.etcd.passwordFile',
        join(directory, 'wrong'),
      ]
      assertFault(await start('a', 'a', login), /no such user with this password/, /passwordFile/)
    })
  })
})
