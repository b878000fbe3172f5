import type { CommandModule } from 'yargs'
import { fetchNodes, forgetNode } from '../admin-requests.ts'
import { addAdminOptions, adminClient, type AdminArguments } from '../admin-options.ts'
import { UsageError } from '../faults.ts'
import { renderNodes } from '../nodes-view.ts'

interface NodesArguments extends AdminArguments {
  readonly action?: string | undefined
  readonly node?: string | undefined
}

export const nodesCommand: CommandModule<object, NodesArguments> = {
  command: 'nodes [action] [node]',
  describe: 'The members of the cluster, as one of them sees them; or forget a node that will not return',
  builder: yargs =>
    addAdminOptions(yargs)
      .positional('action', {
        type: 'string',
        describe: 'forget: keep no messages any more for a node that is gone for good, on any member',
      })
      .positional('node', { type: 'string', describe: 'the node to forget' }),
  handler: async argv => {
    const client = adminClient(argv)
    const { action, node } = argv
    if (action === undefined) {
      const nodes = await fetchNodes(client)
      console.log(argv.json ? JSON.stringify(nodes, null, 2) : renderNodes(nodes, Date.now()))
    } else if (action === 'forget' && node !== undefined) {
      const answer = await forgetNode(client, node)
      console.log(
        argv.json
          ? JSON.stringify(answer, null, 2)
          : `${answer.forgotten} is forgotten: no messages are kept for it any more; what its sessions were still owed is lost`,
      )
    } else {
      throw new UsageError('say "nodes", or "nodes forget NODE"')
    }
  },
}
