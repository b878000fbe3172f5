import assert from 'node:assert/strict'
import { reportText } from '../../../sim/report/report-text.ts'
import type { Report } from '../../../sim/report/report.ts'

describe('reportText', () => {
  const report: Report = {
    title: 'Convergence',
    subtitle: '20 nodes',
    sections: [
      {
        heading: 'What came out',
        prose: 'One sentence.',
        tables: [
          {
            columns: [{ heading: 'run' }, { heading: 'P99 ms', isNumeric: true }],
            rows: [
              ['one rack', { text: '47', verdict: 'good' }],
              ['three regions', { text: '312', verdict: 'bad', note: 'over the budget of 100 ms' }],
              ['three zones', { text: '208', verdict: 'bad', note: 'over the budget of 100 ms' }],
            ],
          },
        ],
      },
    ],
  }

  it('aligns columns, figures to the right, and marks verdicts by a sign', () => {
    const lines = reportText(report).split('\n')
    assert.ok(lines.includes('run              P99 ms'), lines.join('\n'))
    assert.ok(lines.includes('one rack           ✓ 47'))
    assert.ok(lines.includes('three regions  ✗ 312 1)'))
  })

  it('says the note of several cells once', () => {
    const text = reportText(report)
    assert.equal(text.split('over the budget of 100 ms').length, 2)
    assert.ok(text.includes('three zones    ✗ 208 1)'))
  })

  it('writes control characters out, so that a name cannot steer the terminal', () => {
    const text = reportText({ title: 't', subtitle: 's', sections: [{ heading: 'h', prose: 'a\u001b[2Jb' }] })
    assert.ok(!text.includes('\u001b'))
    assert.ok(text.includes('a\\u{1b}[2Jb'))
  })

  it('breaks prose at blanks, at a hundred columns', () => {
    const text = reportText({
      title: 't',
      subtitle: 's',
      sections: [{ heading: 'h', prose: 'word '.repeat(60).trim() }],
    })
    const lines = text.split('\n').filter(line => line.startsWith('word'))
    assert.equal(lines.length, 3)
    assert.ok(lines.every(line => line.length <= 100))
  })
})
