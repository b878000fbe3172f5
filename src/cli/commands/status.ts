import type { CommandModule } from 'yargs'
import { fetchStatus } from '../admin-client.ts'
import { UsageError } from '../faults.ts'
import { renderStatus } from '../status-view.ts'

interface StatusArguments {
  readonly admin: string
  readonly token?: string | undefined
  readonly json: boolean
}

export const statusCommand: CommandModule<object, StatusArguments> = {
  command: 'status',
  describe: 'The cluster at a glance',
  builder: yargs =>
    yargs
      .option('admin', {
        type: 'string',
        requiresArg: true,
        default: 'http://127.0.0.1:8080',
        describe: 'admin URL of any node',
      })
      .option('token', {
        type: 'string',
        requiresArg: true,
        describe: 'admin token of that node; also GRAPEVINE_ADMIN__TOKEN',
      })
      .option('json', { type: 'boolean', default: false, describe: 'one JSON document on stdout' }),
  handler: async argv => {
    if (!/^https?:\/\/[^/]/.test(argv.admin) || !URL.canParse(argv.admin)) {
      throw new UsageError(`--admin ${argv.admin} is no URL; write it like http://127.0.0.1:8080`)
    }
    const status = await fetchStatus(argv.admin, argv.token ?? process.env['GRAPEVINE_ADMIN__TOKEN'])
    console.log(argv.json ? JSON.stringify(status, null, 2) : renderStatus(status, Date.now()))
  },
}
