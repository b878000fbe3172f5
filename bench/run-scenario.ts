import type { LoadTiming } from './load/flow-spec.ts'
import type { ProtocolVersion } from './load/mqtt-packets.ts'
import { RunFailure } from './load-generator.ts'
import { openFilesMax } from './machine.ts'
import { BrokerStartError, type BrokerPeer, type StorageSync } from './peers/broker-peer.ts'
import type { Capabilities } from './peers/capabilities.ts'
import type { BrokerEntry, ContestantResult, RunReport, ScenarioReport } from './report/bench-report.ts'
import { judgeBudget } from './report/budget-verdict.ts'
import { medians } from './report/statistics.ts'
import { singleRun, type SingleRunOptions } from './single-run.ts'
import type { Scenario } from './scenarios/scenario.ts'

/** A broker that is installed, came up and was probed. */
export interface Entrant {
  peer: BrokerPeer
  role: BrokerEntry['role']
  capabilities: Capabilities
}

export interface ScenarioSettings {
  version: ProtocolVersion
  timing: LoadTiming
  repeat: number
  cores: SingleRunOptions['cores']
  signal: AbortSignal
  /** Says what runs now. */
  onProgress: (line: string) => void
}

/** An entrant as it takes part in one scenario. */
interface Contestant {
  entrant: Entrant
  label: string
  storageSync: StorageSync | undefined
  skipped: string | undefined
  runs: RunReport[]
}

/** Measures one scenario: `repeat` rounds, in each of which every contestant has one run. */
export async function runScenario(
  scenario: Scenario,
  entrants: readonly Entrant[],
  settings: ScenarioSettings,
): Promise<ScenarioReport> {
  const contestants = entrants
    .filter(({ role }) => takesPart(scenario, role))
    .flatMap(entrant => contestantsOf(entrant, scenario, settings))
  for (let round = 1; round <= settings.repeat; round++) {
    for (const contestant of contestants) {
      if (contestant.skipped !== undefined) continue
      settings.onProgress(`${scenario.id}: ${contestant.label}, run ${round} of ${settings.repeat}`)
      contestant.runs.push(await attempt(scenario, contestant, settings))
    }
  }
  const results = contestants.map(contestant => toResult(scenario, contestant))
  compare(scenario, results)
  const { id, title, description, metrics, budgets = [] } = scenario
  return {
    ...{ id, title, description, metrics: [...metrics], results },
    budgets: budgets.map(budget => judgeBudget(scenario, budget, results)),
  }
}

function takesPart({ against }: Scenario, role: BrokerEntry['role']): boolean {
  if (role === 'store') return against === 'etcd'
  if (role === 'own') return against === 'own'
  return role === 'reference'
    ? against === 'bare' || against === 'both'
    : against === 'brokers' || against === 'both'
}

function contestantsOf(entrant: Entrant, scenario: Scenario, { version }: ScenarioSettings): Contestant[] {
  const name = scenario.contestant ?? entrant.peer.name
  const skipped = reasonToSkip(entrant, scenario, version)
  if (scenario.storageSyncs === undefined || entrant.role !== 'subject') {
    return [{ entrant, label: name, storageSync: undefined, skipped, runs: [] }]
  }
  return scenario.storageSyncs.map(storageSync => ({
    ...{ entrant, storageSync, skipped },
    label: `${name}, sync ${storageSync}`,
    runs: [],
  }))
}

function reasonToSkip(
  { capabilities, role }: Entrant,
  scenario: Scenario,
  version: ProtocolVersion,
): string | undefined {
  const { needs = {}, openFiles = 0 } = scenario
  if (openFilesMax() < openFiles) {
    return `needs ${openFiles} open files, the limit here is ${openFilesMax()} (ulimit -n)`
  }
  if (role !== 'subject' && role !== 'peer') return undefined
  if (!capabilities.protocolVersions.includes(version)) return 'the broker does not take this version of MQTT'
  if (capabilities.qosMax < (needs.qos ?? 0)) return `the broker announces Maximum QoS ${capabilities.qosMax}`
  if (needs.retained === true && !capabilities.retained) return 'the broker announces Retain Available 0'
  if (needs.shared === true && !capabilities.shared) return 'the broker has no shared subscriptions'
  return undefined
}

async function attempt(
  scenario: Scenario,
  contestant: Contestant,
  settings: ScenarioSettings,
): Promise<RunReport> {
  const { version, timing, cores, signal } = settings
  const { storageSync, entrant } = contestant
  try {
    return await singleRun({ scenario, peer: entrant.peer, storageSync, version, timing, cores, signal })
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof RunFailure) && !(error instanceof BrokerStartError)) throw error
    return { metrics: {}, fault: error.message }
  }
}

function toResult(scenario: Scenario, { entrant, label, skipped, runs }: Contestant): ContestantResult {
  const fault = runs.find(run => run.fault !== undefined)?.fault
  const reason = skipped ?? fault
  const median = medians(runs.filter(run => run.fault === undefined).map(run => run.metrics))
  return {
    ...{ label, runs, median },
    broker: entrant.peer.name,
    role: entrant.role,
    status: skipped !== undefined ? 'skipped' : fault !== undefined ? 'failed' : 'ok',
    ...(reason === undefined ? {} : { reason }),
    ratios: {},
    loadBound: scenario.metrics[0].better === 'higher' && isLoadBound(median),
  }
}

function isLoadBound({ loadCores = 0, brokerCores = 1 }: Record<string, number>): boolean {
  return loadCores > 0.95 && brokerCores < 0.9
}

function compare(scenario: Scenario, results: readonly ContestantResult[]): void {
  const { key } = scenario.metrics[0]
  for (const subject of results.filter(({ role }) => role === 'subject')) {
    for (const peer of results.filter(({ role }) => role === 'peer')) {
      const ratio = (subject.median[key] ?? Number.NaN) / (peer.median[key] ?? Number.NaN)
      if (Number.isFinite(ratio)) subject.ratios[peer.label] = ratio
    }
  }
}
