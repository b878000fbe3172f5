import { RequestWorker } from '../request-worker.ts'
import type { Metric, Scenario } from '../scenarios/scenario.ts'
import type { CallsAnswer, CallsRequest } from './calls-protocol.ts'

/**
 * Of the broker that this architecture was first described for: a match among 10,000 subscriptions, exact and with wildcards, on
 * another machine (16 threads).
 */
const published = { publishedExactNs: 148, publishedWildcardNs: 212 }

interface CallsInit extends Pick<Scenario, 'id' | 'title' | 'description' | 'metrics' | 'budgets'> {
  readonly group?: string
  readonly request: CallsRequest
  /** Figures to compare with that nobody measures here. */
  readonly known?: Readonly<Record<string, number>>
}

/** Figures of processor time, in a fresh process on the brokers' core. */
function callsScenario({ request, known = {}, ...described }: CallsInit): Scenario {
  return {
    ...described,
    against: 'own',
    contestant: 'one process',
    measure: async ({ cores, signal }) => {
      const worker = new RequestWorker<CallsRequest, CallsAnswer>({
        ...{ importer: import.meta.url, script: './calls-process', args: [] },
        ...{ core: cores?.broker ?? null, signal },
      })
      try {
        const { figures, cpuSeconds } = await worker.request(request)
        return { metrics: { ...figures, ...known }, cpuSeconds }
      } finally {
        await worker.stop()
      }
    },
  }
}

const ns = (key: string, title: string): Metric => ({ key, title, unit: 'ns', better: 'lower' })

/** What a publish asks of the indexes, how fast these follow the other nodes, and what they take. */
export const matchScenarios: readonly Scenario[] = [
  callsScenario({
    id: 'mesh-match',
    group: 'mesh',
    title: "Match with this node's own filters",
    description:
      "10,000 filters, half of them with wildcards; exact: 5,000 topics in turn; wildcard, miss: topics never seen; qlobber: its trie with the same filters, in the same process; published: the seeds' figures of another machine",
    metrics: [
      ns('exactNs', 'exact'),
      ns('rememberedNs', 'cached'),
      ns('wildcardNs', 'wildcard'),
      ns('missNs', 'miss'),
      ns('qlobberExactNs', 'qlobber: exact'),
      ns('qlobberWildcardNs', 'wildcard'),
      ns('publishedExactNs', 'published: exact'),
      ns('publishedWildcardNs', 'wildcard'),
      { key: 'bytesPerSubscription', title: 'per subscription', unit: 'B', better: 'lower' },
    ],
    budgets: [
      { kind: 'at-most', value: 150 },
      { metric: 'rememberedNs', kind: 'at-most', value: 150 },
      { metric: 'wildcardNs', kind: 'at-most', value: 500 },
      { metric: 'missNs', kind: 'at-most', value: 500 },
    ],
    request: { kind: 'local-match', sizes: { filters: 10_000, topics: 200_000, clients: 20_000 } },
    known: published,
  }),
  callsScenario({
    id: 'mesh-remote-match',
    group: 'mesh',
    title: "Match with the other nodes' filters",
    description:
      'those of 20 nodes, 500,000 exact ones each, then 500 with wildcards each as well; all but cached: topics not remembered; qlobber: its trie with 100,000 of them; wasted: nodes named for nothing per 100 publishes that nobody, or one node, wants',
    metrics: [
      ns('exactNs', 'exact'),
      ns('rememberedNs', 'cached'),
      ns('missNs', 'miss'),
      ns('exactAmongWildcardsNs', 'with wildcards there: exact'),
      ns('wildcardNs', 'wildcard'),
      ns('qlobberNs', 'qlobber: exact'),
      { key: 'tableMb', title: 'tables, MB', unit: '', better: 'lower' },
      { key: 'bytesPerFilter', title: 'per exact filter', unit: 'B', better: 'lower' },
      { key: 'bytesPerWildcard', title: 'per wildcard', unit: 'B', better: 'lower' },
      { key: 'wastedNobody', title: 'wasted, nobody', unit: '%', better: 'lower' },
      { key: 'wastedOne', title: 'wasted, one node', unit: '%', better: 'lower' },
    ],
    budgets: [
      { kind: 'at-most', value: 500 },
      { metric: 'missNs', kind: 'at-most', value: 500 },
      { metric: 'exactAmongWildcardsNs', kind: 'at-most', value: 500 },
      { metric: 'wildcardNs', kind: 'at-most', value: 500 },
      { metric: 'tableMb', kind: 'at-most', value: 40 },
      { metric: 'wastedNobody', kind: 'at-most', value: 1.5 },
      { metric: 'wastedOne', kind: 'at-most', value: 1.5 },
    ],
    request: {
      kind: 'remote-match',
      sizes: {
        ...{ nodes: 20, filtersPerNode: 500_000, wildcardsPerNode: 500 },
        ...{ topics: 200_000, trieFilters: 100_000 },
      },
    },
  }),
  callsScenario({
    id: 'mesh-remote-changes',
    group: 'mesh',
    title: "Changes of the other nodes' filters",
    description: 'added and removed filters of 20 nodes with 500,000 each, decoded from messages and applied',
    metrics: [{ key: 'changesPerSecond', title: 'applied', unit: '/s', better: 'higher' }],
    budgets: [{ kind: 'at-least', value: 1_000_000 }],
    request: { kind: 'remote-changes', nodes: 20, filtersPerNode: 500_000, changes: 1_000_000 },
  }),
]

/** What reading and writing a message costs, here and between nodes. */
export const codecScenario: Scenario = callsScenario({
  id: 'codecs',
  title: 'Messages read and written',
  description: 'PUBLISH of 256 B, and the frame between nodes that carries it',
  metrics: [
    ns('decodedNs', 'PUBLISH decoded'),
    ns('encodedNs', 'encoded'),
    ns('encodedAgainNs', 'once more'),
    ns('frameEncodedNs', 'frame encoded'),
    ns('frameStampedNs', 'stamped'),
    ns('frameDecodedNs', 'decoded'),
  ],
  request: { kind: 'codecs', calls: 200_000 },
})
