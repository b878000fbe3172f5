import type { Budget, Metric } from '../scenarios/scenario.ts'

/** The JSON document of one bench run; bench/README.md describes it. */
export interface BenchReport {
  schema: 'grapevine-bench/2'
  /** ISO 8601. */
  date: string
  /** As typed. */
  command: string
  machine: Machine
  settings: {
    seconds: number
    warmupSeconds: number
    repeat: number
    mqttVersion: '3.1.1' | '5.0'
    /** Whether the broker was pinned to core 0 and the load to core 1. */
    pinned: boolean
  }
  brokers: BrokerEntry[]
  scenarios: ScenarioReport[]
}

export interface Machine {
  cpu: string
  cores: number
  memoryGib: number
  system: string
  node: string
}

export interface BrokerEntry {
  name: string
  /** `store`: the etcd that claims and nodes go through. `own`: processes that a scenario starts by itself. */
  role: 'subject' | 'peer' | 'reference' | 'store' | 'own'
  settings: string
  version?: string
  /** What to install, when it is not there. */
  missing?: string
}

export interface ScenarioReport {
  id: string
  title: string
  description: string
  metrics: Metric[]
  budgets: BudgetReport[]
  results: ContestantResult[]
}

export interface BudgetReport {
  budget: Budget
  /** The budget in words. */
  text: string
  verdict: 'met' | 'not met' | 'not measured'
  /** The figure in words, or why there is none. */
  measured: string
}

/** A broker, or a variant of one, in one scenario. */
export interface ContestantResult {
  /** E.g. `mosquitto`, or `grapevine, sync always`. */
  label: string
  broker: string
  role: BrokerEntry['role']
  status: 'ok' | 'failed' | 'skipped'
  /** Why it failed or was skipped. */
  reason?: string
  runs: RunReport[]
  /** Of each metric over the runs without fault; empty when there is none. */
  median: Record<string, number>
  /** The subject's first metric divided by each peer's, by the peer's label. */
  ratios: Record<string, number>
  /** The load process was saturated while the broker was not: the broker can do more than this. */
  loadBound: boolean
}

export interface RunReport {
  metrics: Record<string, number>
  latencyCurve?: [percentile: number, ms: number][]
  fault?: string
  /** Cores that other processes of the machine used meanwhile; above 0.1 the figure is not to be trusted. */
  otherCores?: number
}
