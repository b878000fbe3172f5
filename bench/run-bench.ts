import type { ProtocolVersion } from './load/mqtt-packets.ts'
import { describeMachine } from './machine.ts'
import { BrokerStartError, type BrokerPeer, type StartOptions } from './peers/broker-peer.ts'
import { probeCapabilities, type Capabilities } from './peers/capabilities.ts'
import { ownNodes } from './peers/own-nodes.ts'
import { canPin } from './pinned-process.ts'
import type { BenchReport, BrokerEntry, ScenarioReport } from './report/bench-report.ts'
import { runScenario, type Entrant } from './run-scenario.ts'
import { withBroker } from './single-run.ts'
import type { Scenario } from './scenarios/scenario.ts'

export interface BenchOptions {
  scenarios: readonly Scenario[]
  subject: BrokerPeer
  peers: readonly BrokerPeer[]
  /** Measured beside the brokers where a scenario asks for it. */
  reference: BrokerPeer
  /** The etcd of scenarios that need no broker, or start nodes of their own. */
  coordination: BrokerPeer
  /** Measured window of one run. */
  seconds: number
  repeat: number
  version: ProtocolVersion
  /** As typed, for the report. */
  command: string
  /** Aborted, it ends the run; `runBench` then throws. */
  signal: AbortSignal
  onProgress: (line: string) => void
  onScenario: (scenario: ScenarioReport) => void
}

const warmupSeconds = 1

/** Runs the scenarios one after the other; a broker that fails or is missing is reported, the others go on. */
export async function runBench(options: BenchOptions): Promise<BenchReport> {
  const { seconds, repeat, version, signal, onProgress } = options
  const pinned = canPin()
  const cores = pinned ? { broker: 0, load: 1 } : null
  if (!pinned)
    onProgress('taskset or a second core is missing: broker and load are not pinned, figures will vary')
  const brokers: BrokerEntry[] = []
  const entrants: Entrant[] = []
  for (const [role, peer] of cast(options)) {
    onProgress(`looking at ${peer.name}`)
    const { entry, capabilities } = await look(peer, role, {
      core: cores?.broker ?? null,
      signal,
      tuneFor: 'throughput',
    })
    brokers.push(entry)
    if (capabilities !== undefined) entrants.push({ peer, role, capabilities })
  }
  const scenarios: ScenarioReport[] = []
  const timing = { warmupMs: warmupSeconds * 1000, measureMs: seconds * 1000 }
  for (const scenario of options.scenarios) {
    const report = await runScenario(scenario, entrants, {
      version,
      timing,
      repeat,
      cores,
      signal,
      onProgress,
    })
    scenarios.push(report)
    options.onScenario(report)
  }
  return {
    schema: 'grapevine-bench/2',
    date: new Date().toISOString(),
    command: options.command,
    machine: describeMachine(),
    settings: { seconds, warmupSeconds, repeat, mqttVersion: version === 5 ? '5.0' : '3.1.1', pinned },
    brokers,
    scenarios,
  }
}

/** Who is needed, the subject first. */
function cast(options: BenchOptions): [BrokerEntry['role'], BrokerPeer][] {
  const { scenarios, subject, peers, reference, coordination } = options
  const competing = scenarios.some(({ against }) => against === 'brokers' || against === 'both')
  const referred = scenarios.some(({ against }) => against === 'bare' || against === 'both')
  const coordinated = scenarios.some(({ against }) => against === 'etcd')
  const alone = scenarios.some(({ against }) => against === 'own')
  return [
    ...(competing ? [['subject', subject] as const, ...peers.map(peer => ['peer', peer] as const)] : []),
    ...(referred ? [['reference', reference] as const] : []),
    ...(coordinated ? [['store', coordination] as const] : []),
    ...(alone ? [['own', ownNodes] as const] : []),
  ].map(([role, peer]) => [role, peer])
}

const bareCapabilities: Capabilities = { protocolVersions: [4], qosMax: 0, retained: false, shared: false }

async function look(
  peer: BrokerPeer,
  role: BrokerEntry['role'],
  start: Omit<StartOptions, 'directory'>,
): Promise<{ entry: BrokerEntry; capabilities?: Capabilities }> {
  const checked = peer.check()
  const entry: BrokerEntry = { name: peer.name, role, settings: peer.settings, ...checked }
  if ('missing' in checked) return { entry }
  if (role !== 'subject' && role !== 'peer') return { entry, capabilities: bareCapabilities }
  try {
    return { entry, capabilities: await withBroker(peer, start, async ({ port }) => probeCapabilities(port)) }
  } catch (error) {
    start.signal.throwIfAborted()
    if (!(error instanceof BrokerStartError)) throw error
    return { entry: { ...entry, missing: error.message } }
  }
}
