import type { CommandModule } from 'yargs'
import type { NodeStatusView } from '../../admin/status-schemas.ts'
import { addAdminOptions, adminClient, type AdminArguments } from '../admin-options.ts'
import { renderStatus } from '../status-view.ts'

export const statusCommand: CommandModule<object, AdminArguments> = {
  command: 'status',
  describe: 'The cluster at a glance',
  builder: yargs => addAdminOptions(yargs),
  handler: async argv => {
    const status = await adminClient(argv).ask<NodeStatusView>({ path: '/api/v1/status', mark: 'cluster' })
    console.log(argv.json ? JSON.stringify(status, null, 2) : renderStatus(status, Date.now()))
  },
}
