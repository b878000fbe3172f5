import { setTimeout as delay } from 'node:timers/promises'
import type { CommandModule } from 'yargs'
import type { DrainStatusView } from '../../admin/control-schemas.ts'
import type { AdminClient } from '../admin-client.ts'
import { addAdminOptions, adminClient, wholeNumber, type AdminArguments } from '../admin-options.ts'
import { cancelDrain, clientOf, fetchDrain, startDrain } from '../admin-requests.ts'
import { renderDrain, renderDrainProgress } from '../drain-view.ts'
import { say } from '../faults.ts'
import { patiently } from '../patience.ts'

interface DrainArguments extends AdminArguments {
  readonly node?: string | undefined
  readonly rate: string
  readonly force: boolean
  readonly cancel: boolean
}

const RATE_MAX = 1_000_000
const POLL_INTERVAL_MS = 250

export const drainCommand: CommandModule<object, DrainArguments> = {
  command: 'drain [node]',
  describe: 'Send the clients and sessions of a node to the others, so that it can be stopped',
  builder: yargs =>
    addAdminOptions(yargs)
      .positional('node', { type: 'string', describe: 'the node; without, the one that answers' })
      .option('rate', {
        type: 'string',
        requiresArg: true,
        default: '100',
        describe: 'connected clients asked to go per second',
      })
      .option('force', {
        type: 'boolean',
        default: false,
        describe: 'also when no other node is ready: sessions then stay on the disk of this one',
      })
      .option('cancel', {
        type: 'boolean',
        default: false,
        describe: 'end a drain: the node takes clients again',
      }),
  handler: async argv => {
    const ratePerSecond = wholeNumber('rate', argv.rate, 1, RATE_MAX)
    const any = adminClient(argv)
    const client = argv.node === undefined ? any : await clientOf(any, argv.node)
    const status = argv.cancel
      ? await cancelDrain(client)
      : await untilDrained(client, await startDrain(client, { ratePerSecond, force: argv.force }))
    console.log(argv.json ? JSON.stringify(status, null, 2) : renderDrain(status))
  },
}

/** Follows a drain to its end, or until Ctrl-C, which leaves it going. */
async function untilDrained(client: AdminClient, started: DrainStatusView): Promise<DrainStatusView> {
  let status = started
  const interrupt = new AbortController()
  const onSignal = (): void => interrupt.abort()
  process.once('SIGINT', onSignal)
  const follow = async (): Promise<void> => {
    while (status.state === 'draining' && !interrupt.signal.aborted) {
      await delay(POLL_INTERVAL_MS, undefined, { signal: interrupt.signal }).catch(() => undefined)
      status = await fetchDrain(client)
    }
  }
  try {
    await patiently(() => renderDrainProgress(status), follow())
  } finally {
    process.off('SIGINT', onSignal)
  }
  if (status.state === 'draining') {
    say(
      `${status.nodeId} goes on draining without you; the same command follows it again, --cancel ends the drain`,
    )
    process.exitCode = 1
  } else if (status.state === 'idle') {
    say(`somebody ended the drain of ${status.nodeId}`)
    process.exitCode = 1
  }
  return status
}
