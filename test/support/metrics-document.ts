interface DescribedMetric {
  readonly name: string
  readonly type: string
  readonly help: string
  /** Label names with their values, those of histogram buckets left out. */
  readonly labels: ReadonlyMap<string, ReadonlySet<string>>
}

const UNITS: readonly (readonly [RegExp, string])[] = [
  [/_seconds(_total|_max)?$/, 'seconds'],
  [/_(ms|milliseconds)(_total|_max)?$/, 'milliseconds'],
  [/_bytes(_sent)?(_total|_max)?$/, 'bytes'],
]

/** Metrics as described by a scrape, in the order served. */
export function describedMetrics(scrape: string): readonly DescribedMetric[] {
  const metrics = new Map<string, { type: string; help: string; labels: Map<string, Set<string>> }>()
  let name = ''
  for (const line of scrape.split('\n')) {
    const [, kind, metric, text] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? []
    if (metric !== undefined && text !== undefined) {
      name = metric
      const described = metrics.get(name) ?? { type: '', help: '', labels: new Map<string, Set<string>>() }
      metrics.set(name, kind === 'HELP' ? { ...described, help: text } : { ...described, type: text })
      continue
    }
    for (const [, label = '', value = ''] of line.matchAll(/[{,](\w+)="([^"]*)"/g)) {
      if (label === 'le') continue
      const labels = metrics.get(name)?.labels
      labels?.set(label, (labels.get(label) ?? new Set()).add(value))
    }
  }
  return [...metrics].map(([metric, described]) => ({ name: metric, ...described }))
}

/** docs/METRICS.md, before it is formatted. */
export function metricsMarkdown(scrape: string): string {
  const rows = describedMetrics(scrape).map(({ name, type, help, labels }) => {
    const unit = UNITS.find(([pattern]) => pattern.test(name))?.[1] ?? ''
    const labelled = [...labels]
      .map(([label, values]) => `\`${label}\`: ${[...values].join(', ')}`)
      .join('; ')
    return `| \`${name}\` | ${type} | ${unit} | ${labelled} | ${help.replaceAll('|', '\\|')} |`
  })
  return [
    '# Metrics',
    '',
    'What `/metrics` of a node serves, in Prometheus’ text format. Written by `node scripts/metrics-document.ts` from a running ' +
      'node; a test compares it with what is really served. Counters count from the start of the process; metrics without a ' +
      'unit are counts. Buckets of histograms are in the scrape.',
    '',
    '| metric | type | unit | labels | meaning |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n')
}
