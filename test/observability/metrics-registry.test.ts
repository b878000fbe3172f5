import assert from 'node:assert/strict'
import type { Metric } from '../../src/core/ports/node-status.ts'
import { createMetricsRegistry, type MetricsRegistry } from '../../src/observability/metrics-registry.ts'

describe('createMetricsRegistry', () => {
  let registry: MetricsRegistry | undefined
  afterEach(() => registry?.close())

  async function linesOf(...metrics: Metric[]): Promise<string[]> {
    registry = createMetricsRegistry({ metrics: () => metrics })
    return (await registry.text()).split('\n').filter(line => line.includes('grapevine_'))
  }

  it('shows a histogram with buckets that each count all below their bound', async () => {
    const help = 'Time.'
    const lines = await linesOf({
      name: 'wait_seconds',
      type: 'histogram',
      help,
      labels: { call: 'get' },
      bounds: [0.1, 1],
      read: () => ({ counts: [2, 1, 4], sum: 12.5 }),
    })
    assert.deepEqual(lines, [
      '# HELP grapevine_wait_seconds Time.',
      '# TYPE grapevine_wait_seconds histogram',
      'grapevine_wait_seconds_bucket{call="get",le="0.1"} 2',
      'grapevine_wait_seconds_bucket{call="get",le="1"} 3',
      'grapevine_wait_seconds_bucket{call="get",le="+Inf"} 7',
      'grapevine_wait_seconds_sum{call="get"} 12.5',
      'grapevine_wait_seconds_count{call="get"} 7',
    ])
  })

  it('shows metrics of one name as one, told apart by labels, as they are when scraped', async () => {
    let failures = 1
    const metric = (kind: string, read: () => number): Metric => ({
      name: 'failures_total',
      type: 'counter',
      help: 'Failures.',
      labels: { kind },
      read,
    })
    const lines = await linesOf(
      metric('late', () => failures++),
      metric('refused', () => 5),
    )
    assert.deepEqual(lines, [
      '# HELP grapevine_failures_total Failures.',
      '# TYPE grapevine_failures_total counter',
      'grapevine_failures_total{kind="late"} 1',
      'grapevine_failures_total{kind="refused"} 5',
    ])
    assert.match((await registry?.text()) ?? '', /failures_total\{kind="late"\} 2/)
  })
})
