import assert from 'node:assert/strict'
import {
  isFigure,
  properties,
  type Architecture,
  type PropertyName,
} from '../../../sim/compare/architecture.ts'
import { runCompare, type CompareResult } from '../../../sim/compare/compare-command.ts'
import { comparePlan } from '../../../sim/compare/compare-plan.ts'
import { compareReport } from '../../../sim/compare/compare-report.ts'
import { shippedConstants } from '../../../sim/constants/constants.ts'
import { reportText } from '../../../sim/report/report-text.ts'
import { runCli } from '../../cli/run-cli.ts'

const flags = ['spread-nodes=3', 'spread-changes=20', 'simulated-claims=2000']
const plan = comparePlan(new Map(flags.map(flag => flag.split('=') as [string, string])))
const options = {
  constants: shippedConstants,
  threads: 2,
  onProgress: () => {},
  signal: new AbortController().signal,
}

function figure(architecture: Architecture | undefined, property: PropertyName): number {
  const cell = architecture?.cells[property]
  assert.ok(cell !== undefined && isFigure(cell))
  return cell.value
}

describe('sim compare', () => {
  let result: CompareResult
  const named = (name: string): Architecture | undefined =>
    result.architectures.find(architecture => architecture.name === name)

  before(async function () {
    this.timeout(60_000)
    result = await runCompare(plan, options)
  })

  it('says of every cell where it comes from and why', () => {
    assert.equal(result.isComplete, true)
    assert.equal(result.architectures.length, 9)
    for (const { name, cells } of result.architectures) {
      for (const property of Object.keys(properties) as PropertyName[]) {
        const { origin, reasons } = cells[property]
        assert.ok(['measured', 'simulated', 'assumed'].includes(origin), `${name}, ${property}`)
        assert.ok(reasons.length > 0 && reasons.every(reason => reason.length > 5), `${name}, ${property}`)
      }
    }
  })

  it('calls nothing of an architecture that is not built here measured or simulated, unless it costs what ours does', () => {
    const shared = new Set<PropertyName>(['publishMs', 'claimsWall'])
    for (const { name, cells } of result.architectures.slice(3))
      for (const property of Object.keys(properties) as PropertyName[])
        if (!shared.has(property)) assert.equal(cells[property].origin, 'assumed', `${name}, ${property}`)
  })

  it('has subscriptions in etcd at 50 GB, sessions at 2 GB and retained messages at 4.4 GB where all is in etcd', () => {
    assert.equal(figure(named('all in etcd'), 'storeBytes'), 50e9 + 2e9 + 4.4e9)
    // 8 GB at 80 %, and 5,000 writes a second for 15,833 moves and their subscriptions.
    assert.ok(figure(named('all in etcd'), 'clientsMax') < 1.2e6)
  })

  it('has batches where single claims drown, by simulation', () => {
    const { batched, single } = result.simulations
    assert.ok(batched !== undefined && single !== undefined)
    assert.ok(batched.transactions * 5 < single.transactions)
    assert.ok(batched.p99Ms < 100 && single.p99Ms > 300, `${batched.p99Ms}, ${single.p99Ms}`)
    const singlesMax = shippedConstants.values['etcd.claimsPerSecondSingle'].value
    assert.ok(Math.abs(single.claims / single.seconds / singlesMax - 1) < 0.05)
    assert.ok(figure(named('etcd + gossip'), 'claimsWall') > (named('etcd + gossip')?.needed.claims ?? 0))
    assert.ok(figure(named('… single claims'), 'claimsWall') < (named('… single claims')?.needed.claims ?? 0))
  })

  it('spreads subscriptions both ways, each by its own', () => {
    const { gossip, etcd } = result.simulations
    assert.ok(gossip !== undefined && etcd !== undefined)
    assert.equal(gossip.recorded, 0)
    assert.ok(etcd.recorded >= etcd.spread)
    for (const { spread, p99Ms } of [gossip, etcd]) assert.ok(spread > 10 && p99Ms !== null && p99Ms <= 200)
  })

  it('needs more memory per node without bloom filters', () => {
    assert.ok(figure(named('etcd + gossip'), 'nodeBytes') < 1e9)
    assert.ok(figure(named('hashing + gossip'), 'nodeBytes') > 20e9)
  })

  it('shows every architecture and every reason in its text', () => {
    const text = reportText(compareReport(result))
    for (const { name, design, cells } of result.architectures) {
      assert.ok(text.replaceAll('\n', ' ').includes(`${name}: ${design}`), name)
      for (const reason of cells.owners.reasons) assert.ok(text.includes(reason), reason)
    }
  })

  it('tells what can be told when it is interrupted, and assumes the rest', async () => {
    const stop = new AbortController()
    stop.abort()
    const partial = await runCompare(plan, { ...options, signal: stop.signal })
    assert.equal(partial.isComplete, false)
    assert.equal(partial.architectures[0]?.cells.spreadP99.origin, 'assumed')
  })
})

describe('grapevine sim compare', () => {
  it('writes the same document in two processes', async () => {
    const args = ['sim', 'compare', '--json', ...flags.map(flag => `--${flag}`)]
    const [one, two] = await Promise.all([runCli(args), runCli(args)])
    assert.equal(one.code, 0, one.stderr)
    assert.equal(one.stdout, two.stdout)
    const { matrix } = JSON.parse(one.stdout) as { matrix: { property: string; cells: unknown[] }[] }
    assert.equal(matrix.length, Object.keys(properties).length)
    assert.ok(matrix.every(({ cells }) => cells.length === 9))
  }).timeout(60_000)

  it('refuses everything that is wrong at once, with exit code 2', async () => {
    const { code, stderr } = await runCli([
      'sim',
      'compare',
      '--replicas',
      '0',
      '--spread-nodes',
      '1',
      '--clients',
      'x',
    ])
    assert.equal(code, 2)
    for (const flag of ['replicas', 'spread-nodes', 'clients'])
      assert.ok(stderr.includes(`--${flag}: expected`), stderr)
  })
})
