import type { Measurement, RunContext, Scenario } from '../scenarios/scenario.ts'
import { ClaimWorker } from './claim-worker.ts'

/** Clients that connect at once, per process. */
const STORM_CLAIMS = 1000
/** Claims alone have more than one transaction under way, or they would measure its round trip. */
const SINGLE_CLAIMS = 64
const LOW_RATE = 200

/** Runs `use` with so many claim processes, which are gone afterwards. */
async function withWorkers(
  { broker, cores, signal }: RunContext,
  count: number,
  use: (workers: readonly ClaimWorker[]) => Promise<Measurement>,
): Promise<Measurement> {
  const workers = Array.from(
    { length: count },
    (_, number) => new ClaimWorker({ etcdPort: broker.port, number, core: cores?.load ?? null, signal }),
  )
  try {
    const measurement = await use(workers)
    return { ...measurement, cpuSeconds: workers.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0) }
  } finally {
    await Promise.all(workers.map(worker => worker.stop()))
  }
}

async function measureStorm(context: RunContext): Promise<Measurement> {
  const { timing } = context
  return await withWorkers(context, 3, async ([first, ...others]) => {
    if (first === undefined) throw new Error('there is no claim process')
    const storm = { kind: 'storm', how: 'batched', underWay: STORM_CLAIMS, ...timing } as const
    const single = await first.request({ ...storm, how: 'single', underWay: SINGLE_CLAIMS, prefix: 'single' })
    const one = await first.request({ ...storm, prefix: 'one' })
    const three = await Promise.all(
      [first, ...others].map(worker => worker.request({ ...storm, prefix: 'three' })),
    )
    return {
      metrics: {
        claims: one.perSecond,
        claimsOfThree: three.reduce((sum, { perSecond }) => sum + perSecond, 0),
        singleClaims: single.perSecond,
        stormP50: one.p50,
        stormP99: one.p99,
        stormP99OfThree: Math.max(...three.map(({ p99 }) => p99)),
        perBatch: one.perBatch,
        claimCores: one.cores,
      },
      latencyCurve: one.curve,
    }
  })
}

async function measureLowLoad(context: RunContext): Promise<Measurement> {
  const { timing } = context
  return await withWorkers(context, 1, async ([worker]) => {
    if (worker === undefined) throw new Error('there is no claim process')
    const paced = { kind: 'paced', perSecond: LOW_RATE, ...timing } as const
    const single = await worker.request({ ...paced, how: 'single', prefix: 'single' })
    const batched = await worker.request({ ...paced, how: 'batched', prefix: 'batched' })
    return {
      metrics: {
        addedP50: Math.max(0, batched.p50 - single.p50),
        addedP99: Math.max(0, batched.p99 - single.p99),
        batchedP50: batched.p50,
        batchedP99: batched.p99,
        singleP50: single.p50,
        singleP99: single.p99,
      },
      latencyCurve: batched.curve,
    }
  })
}

/** Session ownership against a real etcd. */
export const coordinationScenarios: readonly Scenario[] = [
  {
    id: 'coordination-claims',
    group: 'coordination',
    title: 'Claims through etcd, connection storm',
    description: `One process keeps ${STORM_CLAIMS} claims of new sessions under way, then three do; before that ${SINGLE_CLAIMS} transactions of one claim each are kept under way`,
    metrics: [
      { key: 'claims', title: 'claims', unit: '/s', better: 'higher' },
      { key: 'claimsOfThree', title: 'three processes', unit: '/s', better: 'higher' },
      { key: 'singleClaims', title: 'not batched', unit: '/s', better: 'higher' },
      { key: 'stormP50', title: 'median', unit: 'ms', better: 'lower' },
      { key: 'stormP99', title: 'p99', unit: 'ms', better: 'lower' },
      { key: 'stormP99OfThree', title: 'p99 of three', unit: 'ms', better: 'lower' },
      { key: 'perBatch', title: 'per batch', unit: '' },
      { key: 'claimCores', title: 'of the claimant', unit: 'cores' },
    ],
    budgets: [{ kind: 'at-least', value: 20_000 }],
    against: 'etcd',
    measure: measureStorm,
  },
  {
    id: 'coordination-latency',
    group: 'coordination',
    title: 'Claims through etcd, low load',
    description: `One process claims ${LOW_RATE} new sessions a second, after as many transactions of one claim each; added is the difference`,
    metrics: [
      { key: 'addedP99', title: 'added p99', unit: 'ms', better: 'lower' },
      { key: 'addedP50', title: 'added median', unit: 'ms', better: 'lower' },
      { key: 'batchedP50', title: 'median', unit: 'ms', better: 'lower' },
      { key: 'batchedP99', title: 'p99', unit: 'ms', better: 'lower' },
      { key: 'singleP50', title: 'median, not batched', unit: 'ms' },
      { key: 'singleP99', title: 'p99, not batched', unit: 'ms' },
    ],
    budgets: [{ kind: 'at-most', value: 10 }],
    against: 'etcd',
    measure: measureLowLoad,
  },
]
