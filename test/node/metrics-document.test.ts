import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { describedMetrics, metricsMarkdown } from '../support/metrics-document.ts'
import { servedMetrics } from '../support/served-metrics.ts'

const document = join(import.meta.dirname, '../../docs/METRICS.md')

describe('docs/METRICS.md', () => {
  let scrape: string

  before(async function () {
    this.timeout(30_000)
    scrape = await servedMetrics()
  })

  it('says what a node serves; if not, run node scripts/metrics-document.ts', async () => {
    const options = { ...(await resolveConfig(document)), parser: 'markdown' }
    assert.equal(await readFile(document, 'utf8'), await format(metricsMarkdown(scrape), options))
  })

  it('has a meaning for every metric, as a sentence, and the suffix of counters', () => {
    for (const { name, type, help } of describedMetrics(scrape)) {
      assert.match(help, /^\S.*\.$/, name)
      assert.equal(name.endsWith('_total'), type === 'counter', name)
    }
  })
})
