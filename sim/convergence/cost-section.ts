import type { Chart, Section } from '../report/report.ts'
import { runCells, runName, runTable, soundRuns, type Convergence } from './run-names.ts'

/** A core that works more than this is late with everything. */
const BUSY_SHARE_MAX = 0.9

/** What spreading took of the nodes and of the network, per change. */
export function costSection(convergence: Convergence): Section {
  const shown = soundRuns(convergence)
  const rows = shown.map(result => {
    const { changes, gossip, stream, settings, cpu } = result
    const background = stream.digests / settings.seconds / settings.nodes
    return [
      ...runCells(convergence, result),
      per(gossip.copies, changes),
      percent(gossip.copies === 0 ? 0 : gossip.duplicates / gossip.copies),
      per(gossip.told + gossip.asked, changes),
      kilobytes(gossip.bytes / changes),
      per(stream.applied, changes),
      per(stream.deltas, changes),
      kilobytes(stream.bytes / changes),
      background.toFixed(1),
      String(result.gaps),
      String(result.repairs),
      percent(cpu.mean),
      cpu.most > BUSY_SHARE_MAX
        ? {
            text: percent(cpu.most),
            verdict: 'bad' as const,
            note: 'has no time left: figures grow with the length of the run',
          }
        : percent(cpu.most),
    ]
  })
  const headings = [
    'gossip copies',
    'known before',
    'control',
    'gossip kB',
    'applied',
    'deltas',
    'stream kB',
    'digests/s',
    'gaps',
    'repairs',
    'cores busy',
    'busiest',
  ]
  const bars: Chart = {
    kind: 'bars',
    title: 'Messages per change',
    categories: shown.map(result => runName(convergence, result)),
    y: { label: 'messages per change, all nodes together' },
    isStacked: true,
    series: [
      { name: 'gossip copies', values: shown.map(({ gossip, changes }) => gossip.copies / changes) },
      {
        name: 'gossip control',
        values: shown.map(({ gossip, changes }) => (gossip.told + gossip.asked) / changes),
      },
      { name: 'applied', values: shown.map(({ stream, changes }) => stream.applied / changes) },
      { name: 'deltas by stream', values: shown.map(({ stream, changes }) => stream.deltas / changes) },
      {
        name: 'digests and repairs',
        values: shown.map(({ stream, changes }) => (stream.digests + stream.repairs) / changes),
      },
    ],
  }
  return {
    heading: 'What it took',
    prose:
      'Per change, all nodes together: copies of its gossip message sent, how many of them arrived where it was known before, messages that tell of others or ask for them, and the bytes of all these; on streams the acknowledgements that it is applied, by which barriers are reached, the deltas that take this way when there are too many for gossip, and all bytes. Digests: sent by each node per second, with or without changes. A gap is a delta that arrived before the one it follows, a repair a part of a node’s interest that was fetched because something was lost.',
    tables: [runTable(convergence, headings, rows)],
    charts: shown.length === 0 ? [] : [bars],
  }
}

function percent(value: number): string {
  return `${(100 * value).toFixed(value < 0.1 ? 1 : 0)} %`
}

function per(count: number, changes: number): string {
  return changes === 0 ? '–' : (count / changes).toFixed(count / changes < 10 ? 2 : 0)
}

function kilobytes(bytes: number): string {
  return (bytes / 1000).toFixed(bytes < 10_000 ? 2 : 1)
}
