import { exemptions } from './exempt.ts'
import type { ScannedTest } from './scanner.ts'
import { specifications, type Specification, type Statement } from './statement.ts'
import { statements311 } from './statements-3.1.1.ts'
import { statements50 } from './statements-5.0.ts'

export interface ConformanceInput {
  readonly statements: Readonly<Record<Specification, readonly Statement[]>>
  /** Why a statement cannot be observed, by its id. */
  readonly exemptions: Readonly<Record<Specification, ReadonlyMap<string, string>>>
  readonly tests: readonly ScannedTest[]
}

/** One statement and what is known of it: tests, or else a reason, or else neither, which is a gap. */
export interface ConformanceRow {
  readonly statement: Statement
  readonly tests: readonly ScannedTest[]
  readonly exemption: string | undefined
}

export interface ConformanceReport {
  readonly rows: Readonly<Record<Specification, readonly ConformanceRow[]>>
  /** Each `5.0 MQTT-x.y.z-n`, in order. */
  readonly gaps: readonly string[]
  /** What is wrong with the tests or the exemptions, one line each; empty in a sound tree. */
  readonly faults: readonly string[]
}

/** The input of this repository, given what its tests name. */
export function conformanceInput(tests: readonly ScannedTest[]): ConformanceInput {
  return { statements: { '5.0': statements50, '3.1.1': statements311 }, exemptions, tests }
}

export function conformanceReport({ statements, exemptions, tests }: ConformanceInput): ConformanceReport {
  const covering = new Map<string, ScannedTest[]>()
  const faults: string[] = []
  const known = new Set(
    specifications.flatMap(version => statements[version].map(({ id }) => key(version, id))),
  )
  for (const test of tests) {
    for (const text of test.malformed)
      faults.push(`${test.file}: "${test.title}" names ${text}, which is no id`)
    for (const { specification, id } of test.statements) {
      const name = key(specification, id)
      if (!known.has(name))
        faults.push(`${test.file}: "${test.title}" names ${id}, which MQTT ${specification} does not have`)
      const list = covering.get(name) ?? []
      if (!list.includes(test)) covering.set(name, [...list, test])
    }
  }
  for (const version of specifications) {
    for (const id of exemptions[version].keys()) {
      const name = key(version, id)
      if (!known.has(name)) faults.push(`exempt.ts names ${id}, which MQTT ${version} does not have`)
      if (covering.has(name))
        faults.push(`exempt.ts says why ${id} of MQTT ${version} has no test, but it has one`)
    }
  }
  const rowsOf = (version: Specification): ConformanceRow[] =>
    statements[version].map(statement => ({
      statement,
      tests: covering.get(key(version, statement.id)) ?? [],
      exemption: exemptions[version].get(statement.id),
    }))
  const rows = { '5.0': rowsOf('5.0'), '3.1.1': rowsOf('3.1.1') }
  const gaps = specifications.flatMap(version =>
    rows[version].filter(row => stateOf(row) === 'gap').map(row => key(version, row.statement.id)),
  )
  return { rows, gaps, faults }
}

/** The report as the Markdown of `docs/CONFORMANCE.md`; links are relative to that file. */
export function conformanceMarkdown({ rows }: ConformanceReport): string {
  return [
    '# Conformance',
    '',
    'Every normative statement of the two specifications, and the test that covers it or the reason why none can. Generated from',
    'the titles of the tests by `npm run conformance`; change those, not this page. The requirements are paraphrased: the',
    'specifications ([5.0](https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html),',
    '[3.1.1](https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/errata01/os/mqtt-v3.1.1-errata01-os-complete.html)) have the last word.',
    '',
    '| MQTT | statements | covered by a test | not observable at a broker | gaps |',
    '| --- | --- | --- | --- | --- |',
    ...specifications.map(version => {
      const count = (state: string): number => rows[version].filter(row => stateOf(row) === state).length
      return `| ${version} | ${rows[version].length} | ${count('covered')} | ${count('exempt')} | ${count('gap')} |`
    }),
    ...specifications.flatMap(version => [
      '',
      `## MQTT ${version}`,
      '',
      '<!-- prettier-ignore-start -->',
      '',
      '| id | binds | requirement | covered by |',
      '| --- | --- | --- | --- |',
      ...rows[version].map(
        row =>
          `| ${row.statement.id} | ${row.statement.binds} | ${cell(row.statement.requires)} | ${evidence(row)} |`,
      ),
      '',
      '<!-- prettier-ignore-end -->',
    ]),
    '',
  ].join('\n')
}

function key(version: Specification, id: string): string {
  return `${version} ${id}`
}

function stateOf(row: ConformanceRow): 'covered' | 'exempt' | 'gap' {
  if (row.tests.length > 0) return 'covered'
  return row.exemption === undefined ? 'gap' : 'exempt'
}

function evidence(row: ConformanceRow): string {
  if (row.tests.length > 0) {
    return row.tests
      .map(({ file, title }) => `${cell(title)} ([${shortName(file)}](../${file}))`)
      .join('<br>')
  }
  return row.exemption === undefined ? '**gap**' : `_${cell(row.exemption)}_`
}

function shortName(file: string): string {
  return (file.split('/').at(-1) ?? file).replace(/(\.conformance)?\.test\.ts$/, '')
}

/** Text that cannot break out of a table cell. */
function cell(text: string): string {
  return text.replace(/[\\|<>*_`[\]#+$]/g, character => `\\${character}`)
}
