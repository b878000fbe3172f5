import { median } from '../../bench/report/statistics.ts'
import type { Constants } from '../constants/constants.ts'
import { modelClaims, type ClaimFigures, type ClaimLoad } from './claim-model.ts'
import type { Comparison, Tolerance } from './comparison.ts'
import { repeated, type Lab } from './lab.ts'
import { storeCosts } from './queued-store.ts'
import { withClaimant, withEtcd } from './store-readings.ts'

interface ClaimCase extends ClaimLoad {
  readonly compared: readonly (readonly [figure: keyof ClaimFigures, tolerance: Tolerance])[]
}

/** What else writes to the disk of etcd's log decides from minute to minute. */
const THROUGHPUT: Tolerance = { better: 0.35, worse: 0.35 }
/**
 * Full batches, of which the costs are, take what the claimant does as well: with fewer claims it does that while etcd writes, and
 * the model is too slow.
 */
const LATENCY: Tolerance = { better: 0.5, worse: 1, floor: 2 }

/** Other loads than those the constants were measured under. */
const CASES: readonly ClaimCase[] = [
  { how: 'single', load: { perSecond: 500 }, compared: [['p50', LATENCY]] },
  { how: 'single', load: { underWay: 16 }, compared: [['perSecond', THROUGHPUT]] },
  { how: 'batched', load: { perSecond: 1000 }, compared: [['p50', LATENCY]] },
  { how: 'batched', load: { perSecond: 8000 }, compared: [['p50', LATENCY]] },
  {
    how: 'batched',
    load: { underWay: 300 },
    compared: [
      ['perSecond', THROUGHPUT],
      ['p50', LATENCY],
    ],
  },
]

/** The node's own claims over a store that queues, beside the same claims through a real etcd. */
export async function compareClaims(lab: Lab, constants: Constants): Promise<Comparison[]> {
  const costs = storeCosts(constants)
  const rounds = await repeated(lab, async round => {
    lab.progress(`claims: the real etcd beside the model, run ${round + 1} of ${lab.repetitions}`)
    return await withEtcd(lab, etcd =>
      withClaimant(lab, etcd, async claimant => {
        const results: ClaimFigures[] = []
        for (const [index, { how, load }] of CASES.entries()) {
          const timing = { warmupMs: lab.windowMs / 2, measureMs: lab.windowMs }
          const common = { prefix: `case-${index}`, how, ...timing }
          results.push(
            await claimant.request(
              'underWay' in load
                ? { ...common, kind: 'storm', underWay: load.underWay }
                : { ...common, kind: 'paced', perSecond: load.perSecond },
            ),
          )
        }
        return results
      }),
    )
  })
  const comparisons: Comparison[] = []
  for (const [index, claimCase] of CASES.entries()) {
    const model = await modelClaims(claimCase, costs)
    for (const [figure, tolerance] of claimCase.compared) {
      comparisons.push({
        ...{ subject: 'etcd', what: nameOf(claimCase, figure), tolerance },
        unit: figure === 'perSecond' ? '/s' : 'ms',
        model: model[figure],
        real: median(rounds.map(results => results[index]?.[figure] ?? Number.NaN)),
      })
    }
  }
  return comparisons
}

function nameOf({ how, load }: ClaimCase, figure: keyof ClaimFigures): string {
  const under = 'underWay' in load ? `${load.underWay} under way` : `${load.perSecond}/s`
  return `claims ${how}, ${under}: ${figure === 'perSecond' ? 'rate' : figure}`
}
