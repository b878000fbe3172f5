import type { CommandModule } from 'yargs'
import { fetchLeader } from '../admin-requests.ts'
import { addAdminOptions, adminClient, type AdminArguments } from '../admin-options.ts'
import { renderLeader } from '../leader-view.ts'

export const leaderCommand: CommandModule<object, AdminArguments> = {
  command: 'leader',
  describe: 'Who leads the cluster, since when, and who did before',
  builder: yargs => addAdminOptions(yargs),
  handler: async argv => {
    const leader = await fetchLeader(adminClient(argv))
    console.log(argv.json ? JSON.stringify(leader, null, 2) : renderLeader(leader, Date.now()))
  },
}
