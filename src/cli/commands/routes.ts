import type { CommandModule } from 'yargs'
import { addAdminOptions, adminClient, wholeNumber, type AdminArguments } from '../admin-options.ts'
import { fetchHolders, fetchRoutes } from '../admin-requests.ts'
import type { AdminClient } from '../admin-client.ts'
import type { RoutesView } from '../../admin/routing-schemas.ts'
import { GrapevineError } from '../../core/errors.ts'
import { UsageError } from '../faults.ts'
import { renderHolders, renderRoutes } from '../routes-view.ts'
import { ASKED_TEXT_MAX } from './explain.ts'

interface RoutesArguments extends AdminArguments {
  readonly filter?: string | undefined
  readonly node?: string | undefined
  readonly limit: string
  readonly offset: string
}

const LIMIT_MAX = 1_000_000
const PAGE_MAX = 1000

export const routesCommand: CommandModule<object, RoutesArguments> = {
  command: 'routes [filter]',
  describe: 'What the node asked knows of every node’s subscriptions, or which nodes have one filter',
  builder: yargs =>
    addAdminOptions(yargs)
      .positional('filter', {
        type: 'string',
        describe: 'a topic filter; after -- when it begins with a dash',
      })
      .option('node', { type: 'string', requiresArg: true, describe: 'only filters of this node' })
      .option('limit', {
        type: 'string',
        requiresArg: true,
        default: '100',
        describe: 'how many filters at most',
      })
      .option('offset', {
        type: 'string',
        requiresArg: true,
        default: '0',
        describe: 'how many to pass over',
      }),
  handler: async argv => {
    const client = adminClient(argv)
    // What stands behind -- is not taken for a positional.
    const filter = argv.filter ?? argv._[1]
    if (filter !== undefined) {
      if (encodeURIComponent(String(filter)).length > ASKED_TEXT_MAX)
        throw new UsageError('the filter is too long to be asked about')
      const view = await fetchHolders(client, String(filter))
      const holders = view.holders.filter(({ nodeId }) => argv.node === undefined || nodeId === argv.node)
      const shown = { ...view, holders }
      console.log(argv.json ? JSON.stringify(shown, null, 2) : renderHolders(shown))
      return
    }
    const routes = await list(client, argv)
    console.log(argv.json ? JSON.stringify(routes, null, 2) : renderRoutes(routes))
  },
}

/** As many patterns as asked for, from as many pages as that takes. Throws NODE_UNKNOWN. */
async function list(client: AdminClient, { node, ...argv }: RoutesArguments): Promise<RoutesView> {
  const limit = wholeNumber('limit', argv.limit, 1, LIMIT_MAX)
  const offset = wholeNumber('offset', argv.offset, 0, Number.MAX_SAFE_INTEGER)
  const patterns: RoutesView['patterns']['list'] = []
  for (;;) {
    const wanted = Math.min(PAGE_MAX, limit - patterns.length)
    const page = await fetchRoutes(client, node, offset + patterns.length, wanted)
    if (node !== undefined && !page.nodes.some(({ nodeId }) => nodeId === node)) {
      const known = page.nodes.map(({ nodeId }) => nodeId).join(', ')
      throw new GrapevineError('NODE_UNKNOWN', `nothing is known of a node ${node}; there are ${known}`)
    }
    patterns.push(...page.patterns.list)
    if (page.patterns.list.length < wanted || patterns.length >= limit) {
      const nodes = page.nodes.filter(({ nodeId }) => node === undefined || nodeId === node)
      return { ...page, nodes, patterns: { ...page.patterns, offset, list: patterns } }
    }
  }
}
