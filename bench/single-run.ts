import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cpuSecondsOf } from './load/cpu-meter.ts'
import type { LoadTiming } from './load/flow-spec.ts'
import type { ProtocolVersion } from './load/mqtt-packets.ts'
import { LoadGenerator, RunFailure } from './load-generator.ts'
import { machineCpuSeconds } from './machine.ts'
import type { BrokerPeer, RunningBroker, StartOptions, StorageSync } from './peers/broker-peer.ts'
import type { RunReport } from './report/bench-report.ts'
import type { Scenario } from './scenarios/scenario.ts'

export interface SingleRunOptions {
  scenario: Scenario
  peer: BrokerPeer
  storageSync: StorageSync | undefined
  version: ProtocolVersion
  timing: LoadTiming
  signal: AbortSignal
  /** Null where processes cannot be pinned. */
  cores: { broker: number; load: number } | null
}

/**
 * One measurement: a fresh broker, a fresh load process, both gone afterwards. Throws `RunFailure` and
 * `BrokerStartError`.
 */
export async function singleRun(options: SingleRunOptions): Promise<RunReport> {
  const { scenario, version, timing, cores } = options
  const { signal, storageSync } = options
  const tuneFor = scenario.tuneFor ?? ('throughput' as const)
  const start = {
    core: cores?.broker ?? null,
    signal,
    tuneFor,
    ...(storageSync === undefined ? {} : { storageSync }),
  }
  return await withBroker(options.peer, start, async broker => {
    const load = new LoadGenerator(cores?.load ?? null, signal)
    try {
      const watch = watchOthers([broker.pid, load.pid, process.pid])
      const target = { port: broker.port, version, pid: broker.pid }
      const { cpuSeconds = 0, ...measurement } = await scenario.measure({
        ...{ broker, load, target, timing, cores, signal },
      })
      return { ...measurement, otherCores: watch(cpuSeconds) }
    } catch (error) {
      const lastWords = broker.lastWords()
      if (!(error instanceof RunFailure) || lastWords === '') throw error
      throw new RunFailure(`${error.message}; the broker said: ${lastWords}`)
    } finally {
      await load.stop()
    }
  })
}

/** Runs `use` against a fresh broker with a directory of its own. */
export async function withBroker<T>(
  peer: BrokerPeer,
  options: Omit<StartOptions, 'directory'>,
  use: (broker: RunningBroker) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'grapevine-bench-'))
  try {
    const broker = await peer.start({ ...options, directory })
    try {
      return await use(broker)
    } finally {
      await broker.stop()
    }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Cores used from now until the answer is called, by processes other than these; some CPU time may be left out. */
function watchOthers(pids: readonly number[]): (leftOutSeconds: number) => number {
  const used = () => machineCpuSeconds() - pids.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0)
  const startedAt = performance.now()
  const before = used()
  return leftOutSeconds =>
    Math.max(0, (used() - before - leftOutSeconds) / ((performance.now() - startedAt) / 1000))
}
