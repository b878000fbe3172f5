import assert from 'node:assert/strict'
import { capacityJson, runCapacity } from '../../../sim/capacity/capacity-command.ts'
import { capacityPlan } from '../../../sim/capacity/capacity-plan.ts'
import { capacityReport } from '../../../sim/capacity/capacity-report.ts'
import { shippedConstants } from '../../../sim/constants/constants.ts'
import { reportText } from '../../../sim/report/report-text.ts'
import { runCli } from '../../cli/run-cli.ts'

const small = {
  nodes: '4',
  clients: '2000',
  'wildcard-filters': '50',
  'shared-groups': '5',
  sizes: '8000',
}
const flags = Object.entries(small).map(([flag, value]) => `--${flag}=${value}`)
const plan = capacityPlan(new Map(Object.entries(small)))
const options = { constants: shippedConstants, memoryMaxBytes: 4e9, onProgress: () => {} }

describe('sim capacity', () => {
  it('builds in threads, and says for every number of clients what is beyond its limit', async () => {
    const shares: number[] = []
    const signal = new AbortController().signal
    const run = await runCapacity(plan, { ...options, signal, onProgress: share => shares.push(share) })
    const { result } = run
    assert.equal(result.isComplete, true)
    assert.equal(shares.at(-1), 1)
    assert.equal(result.remote?.digestsEqual, 3)
    assert.equal(result.local?.clients, 500)
    assert.deepEqual(
      result.loads.map(({ clients, structures }) => [clients, structures.basis]),
      [
        [2_000, 'built'],
        [8_000, 'filter built'],
      ],
    )
    assert.deepEqual(result.walls, [
      { clients: 2_000, beyond: [] },
      { clients: 8_000, beyond: [] },
    ])
    const full = new Map(result.fullAt.map(({ resource, clients }) => [resource, clients]))
    // 16 GB of memory of an etcd member, so much a record.
    const records = 16e9 / shippedConstants.values['etcd.bytesPerRecordInMemory'].value
    assert.ok(Math.abs((full.get('etcd memory') ?? 0) / records - 1) < 0.002)
    assert.equal(full.get('etcd claims (sticky)'), null)
    const text = reportText(capacityReport(run, shippedConstants))
    for (const { name } of result.loads[0]?.resources ?? []) assert.ok(text.includes(name), name)
  })

  it('tells what can be told without what an interruption kept from being built', async () => {
    const stop = new AbortController()
    stop.abort()
    const run = await runCapacity(plan, { ...options, signal: stop.signal })
    assert.equal(run.result.isComplete, false)
    assert.equal(run.result.remote, undefined)
    assert.equal(run.result.loads[0]?.structures.basis, 'extrapolated')
    assert.match(reportText(capacityReport(run, shippedConstants)), /interrupted: not everything was built/)
  })

  it('is refused before it begins when it needs more memory than it may take, with the figures', async () => {
    const huge = capacityPlan(new Map())
    const signal = new AbortController().signal
    await assert.rejects(
      runCapacity(huge, { ...options, signal, memoryMaxBytes: 1e9 }),
      /needs about [2-6]\.\d GB of memory and may take 1\.0 GB; .*--memory-max/,
    )
  })

  it('keeps times and heap out of the document', async () => {
    const run = await runCapacity(plan, { ...options, signal: new AbortController().signal })
    const text = JSON.stringify(capacityJson(run, shippedConstants))
    assert.doesNotMatch(text, /"measured":|buildMs|hitNs|heapBytes/i)
  })
})

describe('grapevine sim capacity', () => {
  it('writes the same document in two processes, and progress and figures of the run elsewhere', async () => {
    const args = ['sim', 'capacity', ...flags, '--json']
    const [one, two] = await Promise.all([runCli(args), runCli(args)])
    assert.equal(one.code, 0, one.stderr)
    assert.equal(one.stdout, two.stdout)
    assert.match(one.stderr, /took \d+\.\d s and \d\.\d\d GB of memory/)
    const document = JSON.parse(one.stdout) as { command: string; loads: { clients: number }[] }
    assert.equal(document.command, 'sim capacity')
    assert.deepEqual(
      document.loads.map(({ clients }) => clients),
      [2_000, 8_000],
    )
  }).timeout(60_000)

  it('refuses everything that is wrong at once, with exit code 2', async () => {
    const { code, stdout, stderr } = await runCli([
      'sim',
      'capacity',
      '--nodes',
      '1',
      '--seed',
      'x',
      '--sizes',
      '',
    ])
    assert.equal(code, 2)
    assert.equal(stdout, '')
    for (const flag of ['--nodes', '--seed', '--sizes'])
      assert.ok(stderr.includes(`${flag}: expected`), stderr)
  })

  it('refuses a run that needs more memory than allowed, with exit code 2', async () => {
    const { code, stderr } = await runCli(['sim', 'capacity', '--memory-max', '0.5'])
    assert.equal(code, 2)
    assert.match(stderr, /needs about \d\.\d GB of memory and may take 0\.5 GB/)
  })
})
