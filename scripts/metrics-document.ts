/** Writes docs/METRICS.md from what a node serves. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { metricsMarkdown } from '../test/support/metrics-document.ts'
import { servedMetrics } from '../test/support/served-metrics.ts'

const document = join(import.meta.dirname, '../docs/METRICS.md')
const options = { ...(await resolveConfig(document)), parser: 'markdown' }
await writeFile(document, await format(metricsMarkdown(await servedMetrics()), options))
