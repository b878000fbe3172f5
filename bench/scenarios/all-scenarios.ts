import { codecScenario, matchScenarios } from '../calls/calls-scenarios.ts'
import { connackScenario } from '../coordination/connack-scenario.ts'
import { coordinationScenarios } from '../coordination/coordination-scenarios.ts'
import { takeoverScenarios } from '../coordination/takeover-scenarios.ts'
import { forwardScenarios } from '../mesh/forward-scenarios.ts'
import { spreadScenarios } from '../mesh/spread-scenarios.ts'
import { transportScenario } from '../mesh/transport-scenario.ts'
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
  codecScenario,
  ...coordinationScenarios,
  connackScenario,
  ...takeoverScenarios,
  ...forwardScenarios,
  transportScenario,
  ...matchScenarios,
  ...spreadScenarios,
]
