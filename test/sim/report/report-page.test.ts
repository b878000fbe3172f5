import assert from 'node:assert/strict'
import { reportPage } from '../../../sim/report/report-page.ts'
import type { Chart } from '../../../sim/report/report.ts'

function pageOf(...charts: Chart[]): string {
  return reportPage({ title: 'T', subtitle: 'S', sections: [{ heading: 'H', charts }] })
}

describe('reportPage', () => {
  it('needs nothing from elsewhere: no script, no address, no import', () => {
    const page = pageOf({
      kind: 'lines',
      title: 'curve',
      x: { label: 'ms' },
      y: { label: '%' },
      series: [{ name: 'a', points: [[1, 2]] }],
    })
    assert.doesNotMatch(page, /<script|https?:|@import|url\(|<link|src=/)
  })

  it('shows words as words, whatever signs are in them', () => {
    const page = reportPage({
      title: '<b>',
      subtitle: 'a & b',
      sections: [
        {
          heading: '"q"',
          tables: [{ columns: [{ heading: '<i>' }], rows: [[{ text: '<u>', verdict: 'bad' }]] }],
        },
      ],
    })
    assert.doesNotMatch(page, /<b>|<i>|<u>/)
    assert.match(page, /a &amp; b/)
  })

  it('says a verdict by a sign and a word, not by colour alone', () => {
    const page = reportPage({
      title: 'T',
      subtitle: 'S',
      sections: [
        {
          heading: 'H',
          tables: [
            { columns: [{ heading: 'P99' }], rows: [[{ text: '312', verdict: 'bad', note: 'over budget' }]] },
          ],
        },
      ],
    })
    assert.match(page, /aria-label="bad">✗<\/span> 312/)
    assert.match(page, /over budget/)
  })

  it('places curves on a logarithmic axis by decades', () => {
    const page = pageOf({
      kind: 'lines',
      title: 'curve',
      x: { label: 'ms', isLogarithmic: true },
      y: { label: '%' },
      series: [
        {
          name: 'a',
          points: [
            [1, 0],
            [10, 50],
            [100, 100],
          ],
        },
      ],
    })
    assert.match(page, /points="0,100 50,50 100,0"/)
  })

  it('shades spans, and lists the figures of a curve beside it', () => {
    const page = pageOf({
      kind: 'lines',
      title: 'time line',
      x: { label: 's' },
      y: { label: 'pairs' },
      series: [
        {
          name: 'a',
          points: [
            [0, 0],
            [10, 1234],
          ],
        },
      ],
      spans: [{ from: 2, to: 4, label: 'partition' }],
    })
    assert.match(page, /<rect class="span" x="20" y="0" width="20"/)
    assert.match(page, />partition</)
    assert.match(page, /<td class="n">1.23k<\/td>/)
  })

  it('draws limits at their value, and stacks bars to their sum', () => {
    const page = pageOf({
      kind: 'bars',
      title: 'memory',
      categories: ['10M'],
      y: { label: 'GB' },
      isStacked: true,
      series: [
        { name: 'sessions', values: [10] },
        { name: 'tables', values: [10] },
      ],
      limits: [{ value: 40, label: 'a node' }],
    })
    assert.match(page, /class="limit" style="left:100.00%"/)
    assert.equal(page.match(/width:25.00%/g)?.length, 2)
    assert.match(page, /10M <span class="soft">20</)
  })

  it('shows each value of a heat map, and which pair was not run', () => {
    const page = pageOf({
      kind: 'heat',
      title: 'P99',
      x: { label: 'rate', values: ['1', '10'] },
      y: { label: 'nodes', values: ['3'] },
      values: [[47, undefined]],
      unit: 'ms',
    })
    assert.match(page, />47<\/td><td class="n unknown">not run</)
  })
})
