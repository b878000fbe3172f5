import { setTimeout as delay } from 'node:timers/promises'
import type { CommandModule } from 'yargs'
import type { TraceSpanView } from '../../admin/trace-schemas.ts'
import type { AdminClient } from '../admin-client.ts'
import { addAdminOptions, adminClient, wholeNumber, type AdminArguments } from '../admin-options.ts'
import { readTrace, startTrace, stopTrace } from '../admin-requests.ts'
import { say, UsageError } from '../faults.ts'
import { printable } from '../table.ts'
import { renderTrace } from '../trace-view.ts'

interface TraceArguments extends AdminArguments {
  readonly filter?: string | undefined
  readonly seconds: string
  readonly count: string
}

interface TraceReport {
  readonly nodeId: string
  readonly filter: string
  readonly traces: readonly { readonly traceId: string; readonly spans: readonly TraceSpanView[] }[]
  /** Spans left out because there were too many. */
  readonly dropped: number
}

const SECONDS_MAX = 600
const COUNT_MAX = 1000
const POLL_INTERVAL_MS = 200
/** A message of which nothing was heard for so long has been everywhere. */
const QUIET_MS = 600

export const traceCommand: CommandModule<object, TraceArguments> = {
  command: 'trace [filter]',
  describe: 'Follow real messages from publisher to subscribers, hop by hop, with times',
  builder: yargs =>
    addAdminOptions(yargs)
      .positional('filter', {
        type: 'string',
        describe: 'a topic, or a filter; after -- when it begins with a dash',
      })
      .option('seconds', { type: 'string', requiresArg: true, default: '10', describe: 'how long' })
      .option('count', {
        type: 'string',
        requiresArg: true,
        default: '10',
        describe: 'how many messages at most',
      }),
  handler: async argv => {
    const client = adminClient(argv)
    // What stands behind -- is not taken for a positional.
    const filter = argv.filter ?? argv._[1]
    if (filter === undefined) throw new UsageError('which topics? write it like: grapevine trace "site/7/#"')
    if (String(filter).startsWith('$share/'))
      throw new UsageError(
        'a trace takes a filter without $share/<group>/, and shows shared subscriptions as well',
      )
    const seconds = wholeNumber('seconds', argv.seconds, 1, SECONDS_MAX)
    const count = wholeNumber('count', argv.count, 1, COUNT_MAX)
    const report = await follow(client, { filter: String(filter), seconds, count }, argv.json)
    if (argv.json) console.log(JSON.stringify(report, null, 2))
  },
}

/** Follows until the time is up, so many messages have been everywhere, or Ctrl-C. Shows each as it has, unless `isSilent`. */
async function follow(
  client: AdminClient,
  request: { readonly filter: string; readonly seconds: number; readonly count: number },
  isSilent: boolean,
): Promise<TraceReport> {
  const { name, nodeId } = await startTrace(client, request)
  say(`following up to ${request.count} messages on ${printable(request.filter)} for ${request.seconds} s`)
  const interrupt = new AbortController()
  const onSignal = (): void => interrupt.abort()
  process.once('SIGINT', onSignal)
  const gathered = new Map<string, { readonly spans: TraceSpanView[]; heardAtMs: number; isShown: boolean }>()
  const show = (isEnd: boolean): number => {
    let settled = 0
    for (const trace of gathered.values()) {
      const isQuiet = performance.now() - trace.heardAtMs >= QUIET_MS
      const hasRoot = trace.spans.some(span => span.name === 'publish')
      if (!isEnd && !(isQuiet && hasRoot)) continue
      settled++
      if (!trace.isShown && !isSilent) console.log(`${renderTrace(trace.spans)}\n`)
      trace.isShown = true
    }
    return settled
  }
  let from = 0
  let dropped = 0
  try {
    for (;;) {
      const page = await readTrace(client, name, from)
      from = page.next
      dropped = page.dropped
      for (const span of page.spans) {
        let trace = gathered.get(span.traceId)
        if (trace === undefined)
          gathered.set(span.traceId, (trace = { spans: [], heardAtMs: 0, isShown: false }))
        trace.spans.push(span)
        trace.heardAtMs = performance.now()
      }
      const isEnd = page.over || interrupt.signal.aborted
      if (show(isEnd) >= request.count || isEnd) break
      await delay(POLL_INTERVAL_MS, undefined, { signal: interrupt.signal }).catch(() => undefined)
    }
    await stopTrace(client, name)
  } finally {
    process.off('SIGINT', onSignal)
  }
  if (gathered.size === 0) say('no message was published there meanwhile')
  if (dropped > 0) say(`${dropped} parts of messages’ ways were left out: there were too many`)
  const traces = [...gathered].map(([traceId, { spans }]) => ({ traceId, spans }))
  return { nodeId, filter: request.filter, traces, dropped }
}
