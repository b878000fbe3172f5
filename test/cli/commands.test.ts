import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCli, type CliResult } from './run-cli.ts'

describe('grapevine', () => {
  let directory: string
  let good: string
  let bad: string

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'grapevine-cli-'))
    good = join(directory, 'good.yaml')
    bad = join(directory, 'bad.yaml')
    await writeFile(good, 'auth:\n  anonymous: true\nmqtt:\n  port: 2883\n')
    await writeFile(bad, 'auth:\n  anonymous: maybe\nmqtt:\n  prot: 2883\n')
  })

  after(async () => {
    await rm(directory, { recursive: true })
  })

  /** One line on stderr, nothing on stdout, no stack. */
  const assertFault = ({ code, stdout, stderr }: CliResult, exitCode: number, message: RegExp) => {
    assert.match(stderr, message)
    assert.equal(code, exitCode)
    assert.equal(stdout, '')
    assert.equal(stderr.trimEnd().split('\n').length, 1, stderr)
  }

  it('prints the version of the package', async () => {
    const { version } = JSON.parse(
      await readFile(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8'),
    ) as { version: string }
    assert.deepEqual(await runCli(['--version']), { code: 0, stdout: `${version}\n`, stderr: '' })
  })

  it('lists its commands, and not the internal ones', async () => {
    const { code, stdout } = await runCli(['--help'])
    assert.equal(code, 0)
    for (const command of ['dev', 'start', 'status', 'nodes', 'leader', 'sessions', 'drain', 'config'])
      assert.match(stdout, new RegExp(`grapevine ${command}\\b`))
    assert.doesNotMatch(stdout, /dev-node|guard/)
  })

  it('ends with 2 for a wrong command line', async () => {
    assertFault(await runCli([]), 2, /command is missing/)
    assertFault(await runCli(['nope']), 2, /nope/)
    assertFault(await runCli(['start', '--mqtt.prot', '1']), 2, /mqtt\.prot/)
    assertFault(await runCli(['dev', '--nodes', 'many']), 2, /--nodes .*"many"/)
    assertFault(await runCli(['dev', '--node.id', 'x']), 2, /--node\.id/)
    assertFault(await runCli(['status', '--admin', 'nowhere']), 2, /--admin/)
  })

  describe('config check', () => {
    it('accepts a good file', async () => {
      assert.equal((await runCli(['config', 'check', good])).code, 0)
      assert.deepEqual(JSON.parse((await runCli(['config', 'check', good, '--json'])).stdout), {
        ok: true,
        faults: [],
      })
    })

    it('lists every mistake and ends with 2', async () => {
      const { code, stderr } = await runCli(['config', 'check', bad])
      assert.equal(code, 2)
      assert.match(stderr, /mqtt\.prot \(file .*bad\.yaml line 4\): unknown key/)
      assert.match(stderr, /auth\.anonymous \(file .*bad\.yaml line 2\): expected boolean/)
      assert.doesNotMatch(stderr, /\bat .*\.ts:/)
      const asJson = await runCli(['config', 'check', bad, '--json'])
      assert.equal(asJson.code, 2)
      assert.equal((JSON.parse(asJson.stdout) as { faults: string[] }).faults.length, 2)
    })

    it('ends with 2 when there is no such file', async () => {
      assertFault(await runCli(['config', 'check', join(directory, 'none.yaml')]), 2, /none\.yaml/)
    })
  })

  describe('config print', () => {
    it('shows values with their origins, and a file that is a configuration again', async () => {
      const { code, stdout } = await runCli(
        ['config', 'print', '--config', good, '--mqtt.keepAliveMax', '60'],
        {
          GRAPEVINE_LOG__LEVEL: 'warn',
        },
      )
      assert.equal(code, 0)
      assert.match(stdout, /^ {2}port: 2883 +# file .*good\.yaml line 4$/m)
      assert.match(stdout, /^ {2}keepAliveMax: 60 +# flag --mqtt\.keepAliveMax$/m)
      assert.match(stdout, /^ {2}level: warn +# variable GRAPEVINE_LOG__LEVEL$/m)
      const copy = join(directory, 'copy.yaml')
      await writeFile(copy, stdout)
      assert.equal((await runCli(['config', 'check', copy])).code, 0)
    })

    it('never shows the token', async () => {
      const token = 'a-very-secret-token'
      const args = ['config', 'print', '--config', good, '--admin.token', token]
      for (const extra of [[], ['--json']]) {
        const { stdout } = await runCli([...args, ...extra])
        assert.doesNotMatch(stdout, new RegExp(token))
        assert.match(stdout, /\*\*\*/)
      }
    })

    it('shows a configuration that would not start, and says so', async () => {
      const { code, stdout, stderr } = await runCli(['config', 'print'])
      assert.equal(code, 0)
      assert.match(stdout, /anonymous: false/)
      assert.match(stderr, /would not start: auth\.anonymous/)
    })
  })

  describe('status', () => {
    let server: Server

    before(async () => {
      server = createServer(socket => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}')).listen(
        0,
        '127.0.0.1',
      )
      await new Promise(resolve => server.once('listening', resolve))
    })

    after(() => {
      server.close()
    })

    it('ends with 1 when no node answers there', async () => {
      const address = server.address()
      assert.ok(address !== null && typeof address === 'object')
      const foreign = `http://127.0.0.1:${address.port}`
      assertFault(
        await runCli(['status', '--admin', foreign]),
        1,
        /ADMIN_UNREACHABLE.*not as a Grapevine node/,
      )
      assertFault(await runCli(['status', '--admin', 'http://127.0.0.1:9', '--json']), 1, /ADMIN_UNREACHABLE/)
    })
  })

  describe('start', () => {
    it('refuses a configuration with mistakes, with 2', async () => {
      const { code, stderr } = await runCli(['start', '--config', bad])
      assert.equal(code, 2)
      assert.match(stderr, /CONFIG_INVALID/)
    })
  })
})
