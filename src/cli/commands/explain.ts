import type { CommandModule } from 'yargs'
import { addAdminOptions, adminClient, type AdminArguments } from '../admin-options.ts'
import { fetchExplanation } from '../admin-requests.ts'
import { renderExplanation } from '../explain-view.ts'
import { UsageError } from '../faults.ts'
import { withMembersElsewhere } from '../members-elsewhere.ts'

interface ExplainArguments extends AdminArguments {
  readonly topic?: string | undefined
  readonly publisher: string
  readonly qos: string
}

/** What fits, percent-encoded, into the first line of a request. */
export const ASKED_TEXT_MAX = 12_000

export const explainCommand: CommandModule<object, ExplainArguments> = {
  command: 'explain [topic]',
  describe:
    'Where a message on a topic would go if it were published at the node asked, and why; publishes nothing',
  builder: yargs =>
    addAdminOptions(yargs)
      .positional('topic', { type: 'string', describe: 'a topic name; after -- when it begins with a dash' })
      .option('publisher', {
        type: 'string',
        requiresArg: true,
        default: '',
        describe: 'client id of the publisher, for No Local and sticky shared subscriptions',
      })
      .option('qos', {
        type: 'string',
        requiresArg: true,
        default: '1',
        choices: ['0', '1', '2'],
        describe: 'quality of service it would be published with',
      }),
  handler: async argv => {
    const client = adminClient(argv)
    // What stands behind -- is not taken for a positional.
    const topic = argv.topic ?? argv._[1]
    if (topic === undefined)
      throw new UsageError('which topic? write it like: grapevine explain site/7/temperature')
    const question = { topic: String(topic), qos: argv.qos, publisher: argv.publisher }
    if (encodeURIComponent(question.topic + question.publisher).length > ASKED_TEXT_MAX) {
      throw new UsageError('the topic is too long to be asked about')
    }
    const asked = await fetchExplanation(client, question)
    const explanation = await withMembersElsewhere(client, question, asked)
    console.log(argv.json ? JSON.stringify(explanation, null, 2) : renderExplanation(explanation, Date.now()))
  },
}
