import { setTimeout as delay } from 'node:timers/promises'
import type { CommandModule } from 'yargs'
import type { ModeAnswerView, ModeStatusView } from '../../admin/mode-schemas.ts'
import { GrapevineError } from '../../core/errors.ts'
import type { AdminClient } from '../admin-client.ts'
import { addAdminOptions, adminClient, type AdminArguments } from '../admin-options.ts'
import { fetchNodes } from '../admin-requests.ts'
import { say, UsageError } from '../faults.ts'
import { renderMode, renderModeProgress, renderPastSwitch } from '../mode-view.ts'
import { patiently } from '../patience.ts'

interface ModeArguments extends AdminArguments {
  readonly action: string
  readonly to?: string | undefined
}

const POLL_INTERVAL_MS = 200

export const modeCommand: CommandModule<object, ModeArguments> = {
  command: 'mode [action] [to]',
  describe: 'How changes of subscriptions travel, gossip or etcd: get it, or set it on the live cluster',
  builder: yargs =>
    addAdminOptions(yargs)
      .positional('action', { type: 'string', default: 'get', describe: 'get, or set' })
      .positional('to', { type: 'string', describe: 'gossip or etcd, to set' }),
  handler: async argv => {
    const client = adminClient(argv)
    const { action, to } = argv
    if (action === 'get' && to === undefined) {
      const status = await fetchMode(client)
      console.log(argv.json ? JSON.stringify(status, null, 2) : renderMode(status))
    } else if (action === 'set' && (to === 'gossip' || to === 'etcd')) {
      await setMode(client, to, argv.json)
    } else {
      throw new UsageError('say "mode get", "mode set gossip" or "mode set etcd"')
    }
  },
}

async function setMode(client: AdminClient, to: 'gossip' | 'etcd', isJson: boolean): Promise<void> {
  const others = await othersOf(client)
  const body = { mode: to }
  const begun: ModeAnswerView = await client.ask({
    path: '/api/v1/mode',
    method: 'POST',
    body,
    mark: 'change',
  })
  const status = await ended([client, ...others], begun)
  if (status.switch !== null) {
    say('the switch goes on without you; the same command follows it again, "mode get" shows it')
    process.exitCode = 1
  } else if (begun.change && status.last?.outcome === 'aborted') process.exitCode = 1
  if (isJson) console.log(JSON.stringify(status, null, 2))
  else if (!begun.change) console.log(`the mode is ${to} already`)
  else console.log(status.last === null ? renderMode(status) : renderPastSwitch(status.last))
}

/** Follows a switch to its end, at whatever node answers, or until Ctrl-C, which leaves it going. */
async function ended(
  clients: readonly AdminClient[],
  { change, epoch }: ModeAnswerView,
): Promise<ModeStatusView> {
  let status = await firstAnswer(clients)
  const interrupt = new AbortController()
  const onSignal = (): void => interrupt.abort()
  process.once('SIGINT', onSignal)
  const isEnded = (): boolean => !change || (status.switch === null && (status.last?.epoch ?? 0) > epoch)
  const follow = async (): Promise<void> => {
    while (!isEnded() && !interrupt.signal.aborted) {
      await delay(POLL_INTERVAL_MS, undefined, { signal: interrupt.signal }).catch(() => undefined)
      status = await firstAnswer(clients)
    }
  }
  try {
    await patiently(() => renderModeProgress(status), follow())
  } finally {
    process.off('SIGINT', onSignal)
  }
  return status
}

/** Of the first that answers. Throws what the last one said when none does. */
async function firstAnswer(clients: readonly AdminClient[]): Promise<ModeStatusView> {
  let fault: unknown
  for (const client of clients) {
    try {
      return await fetchMode(client)
    } catch (error) {
      if (!(error instanceof GrapevineError) || error.code !== 'ADMIN_UNREACHABLE') throw error
      fault = error
    }
  }
  throw fault
}

function fetchMode(client: AdminClient): Promise<ModeStatusView> {
  return client.ask({ path: '/api/v1/mode', mark: 'mode' })
}

/** The admin interfaces of the other members, should the asked one stop meanwhile. */
async function othersOf(client: AdminClient): Promise<AdminClient[]> {
  const { nodes } = await fetchNodes(client)
  return nodes.flatMap(({ self, adminUrl }) => (self ? [] : [client.at(adminUrl)]))
}
