import { writeFileSync } from 'node:fs'
import type { ProtocolVersion } from './load/mqtt-packets.ts'
import { aedes } from './peers/aedes.ts'
import type { BrokerPeer } from './peers/broker-peer.ts'
import { etcd } from './peers/etcd.ts'
import { grapevine } from './peers/grapevine.ts'
import { mosquitto } from './peers/mosquitto.ts'
import { relay } from './peers/relay.ts'
import { htmlReport } from './report/html-report.ts'
import { scenarioText, summaryText } from './report/text-report.ts'
import { runBench } from './run-bench.ts'
import { allScenarios } from './scenarios/all-scenarios.ts'
import type { Scenario } from './scenarios/scenario.ts'

const knownPeers: readonly BrokerPeer[] = [mosquitto, aedes]

/** The command line of `grapevine bench`, as text. */
export interface BenchArguments {
  /** Scenario ids; none means all. */
  scenarios: readonly string[]
  seconds: string
  repeat: string
  /** Names of peers, comma-separated, or `none`. */
  against: string
  mqtt: string
  /** A file, or `-` for standard output, where nothing else is then written. */
  json: string | undefined
  html: string | undefined
  command: string
}

/** What the command line asks for, checked. */
export interface BenchPlan {
  scenarios: readonly Scenario[]
  peers: readonly BrokerPeer[]
  seconds: number
  repeat: number
  version: ProtocolVersion
  json: string | undefined
  html: string | undefined
  command: string
}

/** Checks the arguments; a mistake is answered in a line. */
export function planBench(args: BenchArguments): BenchPlan | { mistake: string } {
  const isNamed = ({ id, group }: Scenario, name: string): boolean => id === name || group === name
  const scenarios = allScenarios.filter(
    scenario => args.scenarios.length === 0 || args.scenarios.some(name => isNamed(scenario, name)),
  )
  const unknown = args.scenarios.find(name => !allScenarios.some(scenario => isNamed(scenario, name)))
  if (unknown !== undefined)
    return { mistake: `there is no scenario ${unknown}; grapevine bench --list shows them` }
  const names = args.against === 'none' ? [] : args.against.split(',').map(name => name.trim())
  const stranger = names.find(name => !knownPeers.some(peer => peer.name === name))
  if (stranger !== undefined) {
    const known = knownPeers.map(({ name }) => name).join(', ')
    return { mistake: `--against ${stranger}: the bench can run ${known}, or none` }
  }
  const seconds = Number(args.seconds)
  if (!(seconds >= 0.1 && seconds <= 3600)) return { mistake: '--seconds must be a number from 0.1 to 3600' }
  const repeat = Number(args.repeat)
  if (!Number.isInteger(repeat) || repeat < 1 || repeat > 100) {
    return { mistake: '--repeat must be a whole number from 1 to 100' }
  }
  const version = args.mqtt === '3.1.1' ? 4 : args.mqtt === '5.0' ? 5 : undefined
  if (version === undefined) return { mistake: '--mqtt must be 3.1.1 or 5.0' }
  const peers = knownPeers.filter(({ name }) => names.includes(name))
  const { json, html, command } = args
  return { scenarios, peers, seconds, repeat, version, json, html, command }
}

/** The scenarios with what they do, for `--list`. */
export function listScenarios(): string {
  const width = Math.max(...allScenarios.map(({ id }) => id.length))
  return allScenarios.map(({ id, description }) => `${id.padEnd(width)}  ${description}`).join('\n')
}

/** Where the command writes; progress goes beside the tables so that these can be piped. */
export interface BenchOutput {
  table: (text: string) => void
  progress: (line: string) => void
  json: (text: string) => void
}

/**
 * Runs the plan and writes what it asks for. Answers whether every run of Grapevine was sound; a budget that is not
 * met is shown, but is no failure of the command.
 */
export async function executeBench(
  plan: BenchPlan,
  output: BenchOutput,
  signal: AbortSignal,
): Promise<boolean> {
  const { json, html, ...options } = plan
  const report = await runBench({
    ...options,
    subject: grapevine,
    reference: relay,
    coordination: etcd,
    signal,
    onProgress: output.progress,
    onScenario: scenario => {
      output.table(`\n${scenarioText(scenario)}`)
    },
  })
  output.table(`\n${summaryText(report)}`)
  const document = `${JSON.stringify(report, null, 2)}\n`
  if (json === '-') output.json(document)
  else if (json !== undefined) writeFileSync(json, document)
  if (html !== undefined) writeFileSync(html, htmlReport(report))
  const subjects = report.brokers.filter(({ role }) => role === 'subject')
  const results = report.scenarios.flatMap(scenario => scenario.results).filter(({ role }) => role !== 'peer')
  return (
    subjects.every(({ missing }) => missing === undefined) &&
    results.every(({ status }) => status !== 'failed')
  )
}
