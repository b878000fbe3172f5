import assert from 'node:assert/strict'
import { exemptions } from './exempt.ts'
import { conformanceInput, conformanceMarkdown, conformanceReport, type ConformanceInput } from './report.ts'
import { scanTests } from './scanner.ts'
import { parseStatements } from './statement.ts'
import { statements311 } from './statements-3.1.1.ts'
import { statements50 } from './statements-5.0.ts'

const found = (source: string): string[] =>
  scanTests('a.test.ts', source).flatMap(test =>
    test.statements.map(({ specification, id }) => `${specification} ${id}`),
  )

describe('scanTests', () => {
  it('tells the statements of 5.0 from those of 3.1.1 and keeps the rest of the title', () => {
    const [test] = scanTests(
      'a.test.ts',
      `it('[MQTT-3.1.0-1] [MQTT-3.1.0-2 v3.1.1] refuses a first PUBLISH', () => {})`,
    )
    assert.deepEqual(test, {
      file: 'a.test.ts',
      title: 'refuses a first PUBLISH',
      statements: [
        { specification: '5.0', id: 'MQTT-3.1.0-1' },
        { specification: '3.1.1', id: 'MQTT-3.1.0-2' },
      ],
      malformed: [],
    })
  })

  it('reads templates, concatenations, nested suites and loops', () => {
    assert.deepEqual(
      found(`
        describe('x', () => {
          for (const over of versions) {
            it(\`[MQTT-3.1.0-1] once \${over} [MQTT-3.1.0-2]\`, async () => {})
            it.only("[MQTT-3.1.2-1] " + over, function () {})
          }
        })`),
      ['5.0 MQTT-3.1.0-1', '5.0 MQTT-3.1.0-2', '5.0 MQTT-3.1.2-1'],
    )
  })

  it('does not count tests that do not run, comments, strings or suites', () => {
    assert.deepEqual(
      found(`
        // it('[MQTT-3.1.0-1] in a comment', () => {})
        const text = "it('[MQTT-3.1.0-1] in a string', () => {})"
        it.skip('[MQTT-3.1.0-1] skipped', () => {})
        xit('[MQTT-3.1.0-1] skipped', () => {})
        it('[MQTT-3.1.0-1] pending')
        describe('[MQTT-3.1.0-1] a suite', () => {})
        describe.skip('x', () => { it('[MQTT-3.1.0-1] in a skipped suite', () => {}) })
        xdescribe('x', () => { it('[MQTT-3.1.0-1] in a skipped suite', () => {}) })`),
      [],
    )
  })

  it('reports what looks like an id and is none', () => {
    const titles = ['[MQTT-3.1.2.7] dots', '[MQTT-4.8.2] no number', '[MQTT-3.1.0-1 v5] no such suffix']
    const tests = scanTests('a.test.ts', titles.map(title => `it('${title}', () => {})`).join('\n'))
    assert.deepEqual(
      tests.flatMap(test => test.malformed),
      ['[MQTT-3.1.2.7]', '[MQTT-4.8.2]', '[MQTT-3.1.0-1 v5]'],
    )
  })
})

describe('conformanceReport', () => {
  const input = (source: string, exempt: readonly string[] = []): ConformanceInput => ({
    statements: {
      '5.0': parseStatements('1.1.1-1 server One | thing.\n1.1.1-2 both Another.'),
      '3.1.1': parseStatements('1.1.1-1 client Something else.'),
    },
    exemptions: { '5.0': new Map(), '3.1.1': new Map(exempt.map(id => [id, 'binds the client'])) },
    tests: scanTests('test/a.test.ts', source),
  })

  it('lists as gaps the statements that have neither a test nor a reason', () => {
    const report = conformanceReport(input(`it('[MQTT-1.1.1-2] does', () => {})`))
    assert.deepEqual(report.gaps, ['5.0 MQTT-1.1.1-1', '3.1.1 MQTT-1.1.1-1'])
    assert.deepEqual(report.faults, [])
  })

  it('finds ids that do not exist, in tests and in exemptions', () => {
    const report = conformanceReport(input(`it('[MQTT-1.1.1-2 v3.1.1] does', () => {})`, ['MQTT-9.9.9-9']))
    assert.equal(report.faults.length, 2)
    assert.match(
      report.faults[0] ?? '',
      /test\/a\.test\.ts: "does" names MQTT-1\.1\.1-2, which MQTT 3\.1\.1 does not have/,
    )
    assert.match(report.faults[1] ?? '', /MQTT-9\.9\.9-9/)
  })

  it('finds exemptions that a test has made idle', () => {
    const report = conformanceReport(input(`it('[MQTT-1.1.1-1 v3.1.1] does', () => {})`, ['MQTT-1.1.1-1']))
    assert.equal(report.faults.length, 1)
  })

  it('writes counts, links and gaps, and lets no text break the table', () => {
    const source = `it('[MQTT-1.1.1-2] a | b <c>', () => {})`
    const markdown = conformanceMarkdown(conformanceReport(input(source, ['MQTT-1.1.1-1'])))
    const lines = markdown.split('\n')
    assert(lines.includes('| 5.0 | 2 | 1 | 0 | 1 |'))
    assert(lines.includes('| 3.1.1 | 1 | 0 | 1 | 0 |'))
    assert(lines.includes('| MQTT-1.1.1-1 | server | One \\| thing. | **gap** |'))
    assert(lines.includes('| MQTT-1.1.1-2 | both | Another. | a \\| b \\<c\\> ([a](../test/a.test.ts)) |'))
    assert(lines.includes('| MQTT-1.1.1-1 | client | Something else. | _binds the client_ |'))
  })
})

describe('The lists of statements', () => {
  it('have all of both specifications', () => {
    assert.equal(statements50.length, 251)
    assert.equal(statements311.length, 141)
  })

  it('exempt nothing that does not exist', () => {
    assert.deepEqual(conformanceReport(conformanceInput([])).faults, [])
  })

  it('exempt the server only from what it cannot be held to', () => {
    const servers = statements50
      .filter(({ id, binds }) => binds === 'server' && exemptions['5.0'].has(id))
      .map(({ id }) => id)
    assert.deepEqual(servers, ['MQTT-3.2.2-9', 'MQTT-3.2.2-10', 'MQTT-3.2.2-12', 'MQTT-3.3.4-5'])
  })

  it('refuse a line that is not a statement, and an id that comes twice', () => {
    assert.throws(() => parseStatements('3.1.2-1 everybody Must.'), /not a statement/)
    assert.throws(() => parseStatements('3.1.2-1 server Must.\n3.1.2-1 both Must.'), /two statements/)
  })
})
