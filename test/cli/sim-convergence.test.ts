import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseScenario } from '../../sim/convergence/scenario.ts'
import { readScenario } from '../../src/cli/commands/sim/scenario-file.ts'
import { cleanEnvironment, grapevine, runCli } from './run-cli.ts'

const small = ['sim', 'convergence', '--nodes', '3,5', '--seconds', '2'] as const

describe('grapevine sim convergence', function () {
  this.timeout(60_000)
  let directory: string
  before(async () => (directory = await mkdtemp(join(tmpdir(), 'grapevine-convergence-'))))
  after(() => rm(directory, { recursive: true }))

  it('prints the same bytes for the same seed in two processes, and others for another seed', async () => {
    const [one, again, other] = await Promise.all([
      runCli([...small, '--json']),
      runCli([...small, '--json']),
      runCli([...small, '--json', '--seed', '2']),
    ])
    assert.equal(one.code, 0, one.stderr)
    assert.equal(one.stdout, again.stdout)
    assert.notEqual(one.stdout, other.stdout)
    const document = JSON.parse(one.stdout) as {
      isComplete: boolean
      runs: { settings: { nodes: number } }[]
    }
    assert.equal(document.isComplete, true)
    assert.deepEqual(
      document.runs.map(({ settings }) => settings.nodes),
      [3, 5],
    )
    assert.ok(!one.stdout.includes(process.cwd()))
  })

  it('shows on the page what the tables say', async () => {
    const html = join(directory, 'report.html')
    const { code, stdout, stderr } = await runCli([...small, '--html', html])
    assert.equal(code, 0, stderr)
    const page = await readFile(html, 'utf8')
    const row = stdout.split('\n').find(line => /^ +5 +\d/.test(line))
    const figures = (row ?? '')
      .trim()
      .split(/ +/)
      .filter(cell => cell !== '✓')
    assert.equal(figures.length, 9, stdout)
    for (const figure of figures)
      assert.ok(page.includes(`>${figure}<`) || page.includes(` ${figure}<`), figure)
    assert.match(page, /<polyline class="curve/)
    assert.match(stderr, /report\.html/)
  })

  it('refuses a scenario with everything that is wrong in it, exit 2', async () => {
    const file = join(directory, 'wrong.yaml')
    await writeFile(file, 'nodes: 1\nprofile: moon\npartition: { from: 9, to: 3, cut: half }\n')
    const { code, stdout, stderr } = await runCli(['sim', 'convergence', '--scenario', file, '--loss', '7'])
    assert.equal(code, 2)
    assert.equal(stdout, '')
    for (const field of ['nodes', 'profile', 'partition.to', 'loss'])
      assert.match(stderr, new RegExp(`^ {2}${field}: `, 'm'))
  })

  it('names the scenarios there are when one is not, exit 2', async () => {
    const { code, stderr } = await runCli(['sim', 'convergence', '--scenario', 'nowhere'])
    assert.equal(code, 2)
    assert.match(stderr, /no scenario is called nowhere; there are .*one-rack-20/)
  })

  it('takes every scenario that comes with it', async () => {
    const names = await readdir(join(import.meta.dirname, '../../sim/scenarios'))
    assert.ok(names.length >= 6)
    for (const name of names) {
      const scenario = parseScenario(await readScenario(name.replace('.yaml', '')))
      assert.ok(!Array.isArray(scenario), `${name}: ${JSON.stringify(scenario)}`)
    }
  })

  it('ends at Ctrl-C with a report of the runs that were finished, exit 1', async () => {
    const args = [
      'sim',
      'convergence',
      '--nodes',
      '2,3,60',
      '--seconds',
      '100',
      '--changes-per-second',
      '5',
      '--json',
    ]
    const child = spawn(process.execPath, [grapevine, ...args], { env: cleanEnvironment() })
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    // It says how far it is once it has taken a while.
    for await (const text of child.stderr.setEncoding('utf8') as AsyncIterable<string>) {
      const percent = Number(/(\d+) %/.exec(text)?.[1])
      if (percent > 2) break
    }
    child.kill('SIGINT')
    const [code] = (await once(child, 'close')) as [number]
    assert.equal(code, 1)
    const document = JSON.parse(stdout) as { isComplete: boolean; runs: unknown[] }
    assert.equal(document.isComplete, false)
    assert.ok(document.runs.length < 3)
  })
})
