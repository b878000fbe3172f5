/**
 * Writes docs/CONFORMANCE.md from the titles of the tests.
 *   --check   writes nothing; exits 1 if the document is stale, or if a test or an exemption names what does not exist
 *   --strict  exits 1 if a statement has neither a test nor a reason, too
 */
import { glob, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { format, resolveConfig } from 'prettier'
import { conformanceInput, conformanceMarkdown, conformanceReport } from '../test/conformance/report.ts'
import { scanTests, type ScannedTest } from '../test/conformance/scanner.ts'

const root = join(import.meta.dirname, '..')
const document = join(root, 'docs/CONFORMANCE.md')

const { values } = parseArgs({ options: { check: { type: 'boolean' }, strict: { type: 'boolean' } } })

const tests: ScannedTest[] = []
const files: string[] = []
for await (const file of glob('test/**/*.test.ts', { cwd: root })) files.push(file)
for (const file of files.sort()) tests.push(...scanTests(file, await readFile(join(root, file), 'utf8')))

const report = conformanceReport(conformanceInput(tests))
const markdown = await format(conformanceMarkdown(report), {
  ...(await resolveConfig(document)),
  parser: 'markdown',
})

const problems = [...report.faults]
if (values.check === true) {
  const published = await readFile(document, 'utf8').catch(() => '')
  if (published !== markdown) problems.push('docs/CONFORMANCE.md is stale: run npm run conformance')
} else {
  await mkdir(dirname(document), { recursive: true })
  await writeFile(document, markdown)
}
for (const problem of problems) console.error(problem)
if (report.gaps.length > 0) console.log(`${report.gaps.length} gaps:\n  ${report.gaps.join('\n  ')}`)
if (problems.length > 0 || (values.strict === true && report.gaps.length > 0)) process.exitCode = 1
