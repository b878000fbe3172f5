import { ClaimWorker } from '../../bench/coordination/claim-worker.ts'
import { etcd } from '../../bench/peers/etcd.ts'
import type { RunningBroker } from '../../bench/peers/broker-peer.ts'
import { RequestWorker } from '../../bench/request-worker.ts'
import { withBroker } from '../../bench/single-run.ts'
import { pause, repeated, type Lab } from './lab.ts'
import { residentBytes } from './process-memory.ts'
import { SINGLE_CLAIMS } from './queued-store.ts'
import type { Reading } from './reading.ts'
import { lineThrough } from './regression.ts'
import type { StoreAnswer, StoreRequest } from './store-protocol.ts'

/** As a node under a storm, and as one without batches that has more than one request under way. */
export const STORM_CLAIMS = 1000
const LOW_RATE = 200
const PUTS_UNDER_WAY = 64
const EVENTS_PER_TRANSACTION = 50
/** Rounds of claims after each of which etcd's memory and database are looked at. */
const FILLS = 5

type StoreWorker = RequestWorker<StoreRequest, StoreAnswer>

/** Runs `use` with a fresh private etcd of the one on PATH. */
export async function withEtcd<T>(lab: Lab, use: (etcd: RunningBroker) => Promise<T>): Promise<T> {
  const { cores, signal } = lab
  return await withBroker(etcd, { core: cores?.broker ?? null, signal, tuneFor: 'throughput' }, use)
}

/** Runs `use` with a process that claims sessions through that etcd with the node's own code. */
export async function withClaimant<T>(
  { cores, signal }: Lab,
  { port }: RunningBroker,
  use: (claimant: ClaimWorker) => Promise<T>,
): Promise<T> {
  const worker = new ClaimWorker({ etcdPort: port, number: 0, core: cores?.load ?? null, signal })
  try {
    return await use(worker)
  } finally {
    await worker.stop()
  }
}

/** What etcd does in a second, how long it takes, and what it keeps of a record. */
export async function readStore(lab: Lab): Promise<Reading[]> {
  const runs = await repeated(lab, async round => {
    lab.progress(`etcd: claims, puts and watches, run ${round + 1} of ${lab.repetitions}`)
    return await withEtcd(lab, async running => ({
      ...(await claimRates(lab, running)),
      ...(await putsAndEvents(lab, running)),
    }))
  })
  const records = await repeated(lab, async round => {
    lab.progress(`etcd: what it keeps of a record, run ${round + 1} of ${lab.repetitions}`)
    return await withEtcd(lab, running => bytesPerRecord(lab, running))
  })
  const paced = `${LOW_RATE} transactions/s that claim a session each`
  const claimed = `${FILLS} rounds of batched claims, by regression over the records there are`
  return [
    { name: 'etcd.writeMsP50', runs: runs.map(({ p50 }) => p50), how: paced },
    { name: 'etcd.writeMsP99', runs: runs.map(({ p99 }) => p99), how: paced },
    {
      name: 'etcd.claimsPerSecondSingle',
      runs: runs.map(({ single }) => single),
      how: `${SINGLE_CLAIMS} claims under way from one process, a transaction each`,
    },
    {
      name: 'etcd.claimsPerSecondBatched',
      runs: runs.map(({ batched }) => batched),
      how: `${STORM_CLAIMS} claims under way from one process, by the node’s own batches`,
    },
    {
      name: 'etcd.putsPerSecond',
      runs: runs.map(({ puts }) => puts),
      how: `${PUTS_UNDER_WAY} puts of 32 B under way from one process`,
    },
    {
      name: 'etcd.watchEventsPerSecond',
      runs: runs.map(({ events }) => events),
      how: `transactions of ${EVENTS_PER_TRANSACTION} puts, what one core of the watcher would do by its CPU time`,
    },
    {
      name: 'etcd.bytesPerRecordInMemory',
      runs: records.map(({ memory }) => memory),
      how: `resident memory of etcd, its log in memory included, over ${claimed}`,
    },
    {
      name: 'etcd.bytesPerRecordOnDisk',
      runs: records.map(({ disk }) => disk),
      how: `database in use, over ${claimed}`,
    },
  ]
}

async function claimRates(lab: Lab, running: RunningBroker) {
  return await withClaimant(lab, running, async claimant => {
    const timing = { warmupMs: lab.windowMs / 2, measureMs: lab.windowMs }
    // The first ones find a new file and code that never ran.
    await claimant.request({
      ...{ prefix: 'warm-up', ...timing, kind: 'storm', how: 'single', underWay: SINGLE_CLAIMS },
    })
    const low = await claimant.request({
      ...{ prefix: 'low', ...timing, kind: 'paced', how: 'single', perSecond: LOW_RATE },
    })
    const single = await claimant.request({
      ...{ prefix: 'single', ...timing, kind: 'storm', how: 'single', underWay: SINGLE_CLAIMS },
    })
    const batched = await claimant.request({
      ...{ prefix: 'batched', ...timing, kind: 'storm', how: 'batched', underWay: STORM_CLAIMS },
    })
    return { p50: low.p50, p99: low.p99, single: single.perSecond, batched: batched.perSecond }
  })
}

async function putsAndEvents({ cores, signal, windowMs }: Lab, { port }: RunningBroker) {
  const start = (): StoreWorker =>
    new RequestWorker({
      ...{ importer: import.meta.url, script: './store-process', args: [`http://127.0.0.1:${port}`] },
      ...{ core: cores?.load ?? null, signal },
    })
  const writer = start()
  const watcher = start()
  const put = { kind: 'puts', underWay: PUTS_UNDER_WAY, perTransaction: 1 } as const
  try {
    await writer.request({ ...put, prefix: 'warm-up/', forMs: windowMs / 2 })
    const { puts } = await writer.request({ ...put, prefix: 'puts/', forMs: windowMs })
    await watcher.request({ kind: 'watch', prefix: 'watched/' })
    const many = { ...put, underWay: 4, perTransaction: EVENTS_PER_TRANSACTION }
    // The first events find code that never ran.
    await writer.request({ ...many, prefix: 'watched/a/', forMs: windowMs / 2 })
    const before = await watcher.request({ kind: 'count' })
    await writer.request({ ...many, prefix: 'watched/b/', forMs: windowMs })
    const after = await watcher.request({ kind: 'count' })
    return {
      puts: (puts / windowMs) * 1000,
      events: (1e6 * (after.events - before.events)) / (after.cpuUs - before.cpuUs),
    }
  } finally {
    await Promise.all([writer.stop(), watcher.stop()])
  }
}

async function bytesPerRecord(lab: Lab, running: RunningBroker) {
  return await withClaimant(lab, running, async claimant => {
    const memory: [records: number, bytes: number][] = []
    const disk: [records: number, bytes: number][] = []
    for (let fill = 0; fill < FILLS; fill++) {
      await claimant.request({
        ...{ kind: 'storm', how: 'batched', underWay: STORM_CLAIMS, prefix: `fill-${fill}` },
        ...{ warmupMs: 0, measureMs: lab.windowMs },
      })
      await pause(500)
      const records = await recordCount(running)
      memory.push([records, residentBytes(running.pid)])
      disk.push([records, await databaseBytes(running)])
    }
    return { memory: lineThrough(memory).slope, disk: lineThrough(disk).slope }
  })
}

async function recordCount(running: RunningBroker): Promise<number> {
  const everything = { key: base64('\0'), range_end: base64('\0'), count_only: true }
  const { count } = (await ask(running, 'kv/range', everything)) as { count?: string }
  return Number(count ?? 0)
}

async function databaseBytes(running: RunningBroker): Promise<number> {
  const { dbSizeInUse } = (await ask(running, 'maintenance/status', {})) as { dbSizeInUse?: string }
  return Number(dbSizeInUse ?? Number.NaN)
}

/** etcd's own gateway from JSON. */
async function ask({ port }: RunningBroker, path: string, body: object): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${port}/v3/${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  })
  return await response.json()
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
