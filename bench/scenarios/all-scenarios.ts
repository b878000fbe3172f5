import { backlogScenarios } from './backlog-scenarios.ts'
import { connectStormScenario } from './connect-storm-scenario.ts'
import { flowScenarios } from './flow-scenarios.ts'
import { idleMemoryScenarios } from './idle-memory-scenario.ts'
import type { Scenario } from './scenario.ts'

/** Every scenario, in the order in which they run and are reported. */
export const allScenarios: readonly Scenario[] = [
  ...flowScenarios,
  connectStormScenario,
  ...idleMemoryScenarios,
  ...backlogScenarios,
]
