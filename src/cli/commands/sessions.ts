import type { CommandModule } from 'yargs'
import type { LocalSessionView, SessionDetailsView, SessionPageView } from '../../admin/control-schemas.ts'
import { errorMessage, GrapevineError } from '../../core/errors.ts'
import type { AdminClient } from '../admin-client.ts'
import { addAdminOptions, adminClient, wholeNumber, type AdminArguments } from '../admin-options.ts'
import { fetchSession, fetchSessions } from '../admin-requests.ts'
import { UsageError } from '../faults.ts'
import { renderSession, renderSessions } from '../sessions-view.ts'
import { printable } from '../table.ts'

interface SessionsArguments extends AdminArguments {
  readonly id?: string | undefined
  readonly prefix?: string | undefined
  readonly connected: boolean
  readonly disconnected: boolean
  readonly limit: string
  readonly next?: string | undefined
}

const LIMIT_MAX = 1_000_000
const PAGE_MAX = 1000

export const sessionsCommand: CommandModule<object, SessionsArguments> = {
  command: 'sessions [id]',
  describe: 'The sessions of one node, or everything about one session wherever it is',
  builder: yargs =>
    addAdminOptions(yargs)
      .positional('id', { type: 'string', describe: 'a client id; after -- when it begins with a dash' })
      .option('prefix', { type: 'string', requiresArg: true, describe: 'only client ids that begin with it' })
      .option('connected', { type: 'boolean', default: false, describe: 'only those connected' })
      .option('disconnected', { type: 'boolean', default: false, describe: 'only those not connected' })
      .option('limit', { type: 'string', requiresArg: true, default: '100', describe: 'how many at most' })
      .option('next', { type: 'string', requiresArg: true, describe: 'goes on with a listing, as it told' }),
  handler: async argv => {
    const client = adminClient(argv)
    // What stands behind -- is not taken for a positional.
    const id = argv.id ?? argv._[1]
    if (id !== undefined) {
      const { details, remark } = await lookUp(client, String(id))
      console.log(argv.json ? JSON.stringify(details, null, 2) : renderSession(details, remark, Date.now()))
      return
    }
    if (argv.connected && argv.disconnected) {
      throw new UsageError('--connected and --disconnected exclude each other; leave both out for all')
    }
    const page = await list(client, argv)
    console.log(argv.json ? JSON.stringify(page, null, 2) : renderSessions(page, Date.now()))
  },
}

/** As many sessions as asked for, from as many pages as that takes. */
async function list(client: AdminClient, argv: SessionsArguments): Promise<SessionPageView> {
  const limit = wholeNumber('limit', argv.limit, 1, LIMIT_MAX)
  const connected = argv.connected ? true : argv.disconnected ? false : undefined
  const sessions: LocalSessionView[] = []
  let { next } = argv
  for (;;) {
    const pageLimit = Math.min(PAGE_MAX, limit)
    const page = await fetchSessions(client, { prefix: argv.prefix, connected, limit: pageLimit, next })
    sessions.push(...page.sessions)
    if (page.next === null || sessions.length >= limit) return { ...page, sessions }
    next = page.next
  }
}

/** Asks the owner for what only it knows. `remark`: why that is missing. Throws SESSION_UNKNOWN when there is no such session. */
async function lookUp(
  client: AdminClient,
  clientId: string,
): Promise<{ details: SessionDetailsView; remark: string | undefined }> {
  const details = await fetchSession(client, clientId)
  const { owner } = details
  if (details.local !== null) return { details, remark: undefined }
  if (owner === null) {
    throw new GrapevineError(
      'SESSION_UNKNOWN',
      `there is no session ${printable(clientId)}: nobody owns it in the coordination store; is the client id spelt exactly so?`,
    )
  }
  if (owner.adminUrl === null || !owner.live) {
    const remark = `its owner is not a member now: what it holds is on the disk of ${owner.nodeId}, which must be started again`
    return { details, remark }
  }
  try {
    return { details: await fetchSession(client.at(owner.adminUrl), clientId), remark: undefined }
  } catch (error) {
    const remark = `for its connection and queue ask ${owner.nodeId}: grapevine sessions --admin ${owner.adminUrl} (from here: ${errorMessage(error)})`
    return { details, remark }
  }
}
