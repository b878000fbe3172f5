import assert from 'node:assert/strict'
import type { FlowSpec } from '../../bench/load/flow-spec.ts'
import { aedes } from '../../bench/peers/aedes.ts'
import type { BrokerPeer } from '../../bench/peers/broker-peer.ts'
import { relay } from '../../bench/peers/relay.ts'
import type { BenchReport } from '../../bench/report/bench-report.ts'
import { htmlReport } from '../../bench/report/html-report.ts'
import { scenarioText, summaryText } from '../../bench/report/text-report.ts'
import { runBench } from '../../bench/run-bench.ts'
import { flowScenario } from '../../bench/scenarios/flow-scenario.ts'
import type { Scenario } from '../../bench/scenarios/scenario.ts'

const spec: FlowSpec = {
  ...{ shape: 'pairs', qos: 1, payloadBytes: 64, publishers: 2, subscribers: 2 },
  ...{ cleanSession: true, window: 20, ratePerSecond: null },
}
const missing: BrokerPeer = {
  ...{ name: 'nobody', settings: '' },
  check: () => ({ missing: 'nobody is not installed; install it' }),
  start: async () => Promise.reject(new Error('must not be started')),
}

async function run(scenarios: readonly Scenario[], peers: readonly BrokerPeer[] = []): Promise<BenchReport> {
  return await runBench({
    ...{
      scenarios,
      peers,
      subject: aedes,
      reference: relay,
      coordination: missing,
      seconds: 0.2,
      repeat: 1,
      version: 4,
    },
    ...{ command: 'grapevine bench <tiny>', signal: new AbortController().signal },
    onProgress: () => {},
    onScenario: () => {},
  })
}

// Real brokers and load processes: a run waits for their start, its warm-up and its end.
describe('runBench', function () {
  this.timeout(60_000)

  it('measures flows through a real broker without loss, and says so in every report', async () => {
    const report = await run(
      [
        flowScenario({ id: 'tiny-qos1', title: 'Tiny', description: 'closed loop', spec }),
        flowScenario({
          id: 'tiny-rate',
          title: 'Rate',
          description: 'fixed',
          spec: { ...spec, qos: 2, ratePerSecond: 500 },
        }),
      ],
      [missing],
    )
    for (const { results } of report.scenarios) {
      assert.deepEqual(
        results.map(({ label, status, reason }) => [label, status, reason]),
        [['aedes', 'ok', undefined]],
      )
      const [{ metrics } = { metrics: {} as Record<string, number> }] = results[0]?.runs ?? []
      assert.equal(metrics['lost'], 0)
      assert.equal(metrics['duplicated'], 0)
      assert.equal(metrics['delivered'], metrics['published'])
      assert((metrics['deliveredPerSecond'] ?? 0) > 0)
      assert((metrics['p50Ms'] ?? 0) > 0)
      assert((metrics['maxMs'] ?? 0) >= (metrics['p99Ms'] ?? Number.POSITIVE_INFINITY))
    }
    // 1.2 s at 500 messages/s: the schedule, not the broker, decides how many.
    assert.equal(report.scenarios[1]?.results[0]?.runs[0]?.metrics['published'], 600)
    assert.match(
      scenarioText(report.scenarios[0] ?? assert.fail()),
      /^tiny-qos1 – Tiny\n.*\n.*delivered.*\n +aedes +[\d,]+/,
    )
    assert.match(summaryText(report), /nobody is not installed; install it/)
    const page = htmlReport(report)
    assert.match(page, /grapevine bench &lt;tiny&gt;/)
    assert.doesNotMatch(page, /(src|href)=|@import|url\(/, 'the page must need nothing from elsewhere')
  })

  it('skips, with the reason, what the broker does not offer', async () => {
    const shared: FlowSpec = { ...spec, shape: 'shared', qos: 0 }
    const report = await run([flowScenario({ id: 'shared', title: 'Shared', description: '', spec: shared })])
    const [result] = report.scenarios[0]?.results ?? []
    assert.equal(result?.status, 'skipped')
    assert.equal(result.reason, 'the broker has no shared subscriptions')
    assert.equal(result.runs.length, 0)
  })

  it('judges what a scenario measures by itself, under the name it gives it', async () => {
    const report = await run([
      {
        ...{ id: 'own', title: 'Own', description: '', against: 'own', contestant: 'two nodes' },
        metrics: [{ key: 'share', title: 'share', unit: '%', better: 'lower' }],
        budgets: [{ kind: 'at-most', value: 0.01 }],
        measure: () => Promise.resolve({ metrics: { share: 0.02 } }),
      },
    ])
    assert.deepEqual(
      report.scenarios[0]?.results.map(({ label, role, status }) => [label, role, status]),
      [['two nodes', 'own', 'ok']],
    )
    assert.equal(report.scenarios[0]?.budgets[0]?.verdict, 'not met')
    assert.match(summaryText(report), /own +share ≤ 0\.010 % +0\.020 % +not met/)
    assert.match(htmlReport(report), /two nodes/)
  })

  it('measures the load generator against bare sockets', async () => {
    const bare = { ...spec, qos: 0 as const }
    const report = await run([
      flowScenario({ id: 'bare', title: '', description: '', spec: bare, against: 'bare' }),
    ])
    const [result] = report.scenarios[0]?.results ?? []
    assert.equal(result?.status, 'ok')
    assert.equal(result.median['lost'], 0)
  })
})
