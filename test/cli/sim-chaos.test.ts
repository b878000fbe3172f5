import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { runOf } from '../../src/cli/commands/sim/run-options.ts'
import { chaos, describeSummary } from '../../sim/chaos/chaos-command.ts'
import { runCli } from './run-cli.ts'

const run = promisify(execFile)

describe('grapevine sim replay', function () {
  this.timeout(120_000)

  it('says which commit ran, as text and as JSON', async () => {
    const { stdout } = await run('git', ['rev-parse', '--short', 'HEAD'], { cwd: import.meta.dirname })
    const hash = stdout.trim()
    const text = await runCli(['sim', 'replay', '1', '--faults', 'none'])
    assert.match(text.stdout, new RegExp(`^seed 1 at commit ${hash}( with changes)?: faults\n`))
    const json = await runCli(['sim', 'replay', '1', '--faults', 'none', '--json'])
    assert.ok((JSON.parse(json.stdout) as { commit: string }).commit.startsWith(hash))
  })
})

describe('grapevine sim chaos', function () {
  this.timeout(120_000)

  it('says when it was interrupted, and how many of the seeds were run', async () => {
    const stop = new AbortController()
    const one = { nodes: 3, minutes: 1, isRoaming: false, keptFaults: [], isShrinking: false }
    const plan = { ...one, from: 1, seeds: 500, threads: 1, commit: 'this one' }
    const summary = await chaos(plan, ({ seed }) => seed === 2 && stop.abort(), stop.signal)
    const [first, counts] = describeSummary(summary).split('\n')
    assert.equal(first, 'interrupted: 2 of 500 seeds were run, the others were not')
    assert.match(counts ?? '', /^2 seeds, 0 failed; /)
  })

  it('says nothing of the kind when all were run', () => {
    const sums = { failed: [], publishes: 10, deliveries: 20, virtualMs: 60_000 }
    const summary = { ...sums, seeds: 3, seedsAsked: 3, isInterrupted: false }
    const line = '3 seeds, 0 failed; 1 virtual minutes, 10 messages published, 20 delivered'
    assert.equal(describeSummary(summary), line)
  })
})

describe('The length of a simulated run', () => {
  const given = {
    nodes: '3',
    minutes: undefined,
    hours: undefined,
    clients: 'roaming',
    operator: false,
    json: false,
  }

  it('is what --hours or --minutes say, or a minute', () => {
    assert.equal(runOf({ ...given, hours: '2' }).minutes, 120)
    assert.equal(runOf({ ...given, minutes: '7' }).minutes, 7)
    assert.equal(runOf(given).minutes, 1)
  })

  it('is not more than a day, and not given twice', () => {
    assert.throws(() => runOf({ ...given, hours: '25' }), /hours/)
    assert.throws(() => runOf({ ...given, hours: '1', minutes: '60' }), /give one of them/)
  })
})
