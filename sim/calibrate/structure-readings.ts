import { RequestWorker } from '../../bench/request-worker.ts'
import { repeated, sized, type Lab } from './lab.ts'
import type { Reading } from './reading.ts'
import type { StructureAnswer } from './structure-protocol.ts'

const FILTERS = 50_000

/** What a node's knowledge of the others takes, from the structures themselves. */
export async function readStructures(lab: Lab): Promise<Reading[]> {
  const filters = sized(lab, FILTERS)
  const runs = await repeated(lab, async round => {
    lab.progress(`routing structures, run ${round + 1} of ${lab.repetitions}`)
    const worker = new RequestWorker<object, StructureAnswer>({
      ...{ importer: import.meta.url, script: './structure-process', args: [String(filters)] },
      ...{ core: lab.cores?.broker ?? null, signal: lab.signal },
    })
    try {
      return await worker.request({})
    } finally {
      await worker.stop()
    }
  })
  return [
    {
      name: 'node.bytesPerRemotePattern',
      runs: runs.map(({ perPattern }) => perPattern),
      how: `heap of ${filters} filters of five levels`,
    },
    {
      name: 'node.bytesPerRemotePatternNode',
      runs: runs.map(({ perFurtherNode }) => perFurtherNode),
      how: `heap of the same ${filters}, of 18 nodes more`,
    },
    {
      name: 'node.bytesPerSubscription',
      runs: runs.map(({ perSubscription }) => perSubscription),
      how: `heap of ${10 * filters}, ten a client, in the index and in maps as sessions keep them`,
    },
    {
      name: 'node.bytesPerRetained',
      runs: runs.map(({ perRetained }) => perRetained),
      how: `memory of ${filters} messages of 500 B, without these 500 B`,
    },
    {
      name: 'node.cpuUsPerAppliedChange',
      runs: runs.map(({ usPerChange }) => usPerChange),
      how: `frames decoded and applied to the filters of 20 nodes, ${10 * filters} each`,
    },
  ]
}
