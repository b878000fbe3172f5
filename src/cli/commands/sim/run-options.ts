import { wholeNumber } from './numbers.ts'

/** What `sim chaos` and `sim replay` must be told alike, since a seed means the same run only with the same settings. */
export interface RunArguments {
  readonly nodes: string
  readonly minutes: string
  readonly clients: string
  readonly json: boolean
}

export const runOptions = {
  nodes: {
    type: 'string',
    requiresArg: true,
    default: '3',
    describe: 'brokers in the simulated cluster, 2 to 20',
  },
  minutes: {
    type: 'string',
    requiresArg: true,
    default: '1',
    describe: 'virtual time under faults, up to 600; healing comes on top',
  },
  clients: {
    type: 'string',
    choices: ['roaming', 'sticky'],
    default: 'roaming',
    describe: 'whether clients go from node to node, and their sessions with them, or keep to one',
  },
  json: { type: 'boolean', default: false, describe: 'one JSON document on stdout' },
} as const

export function runOf({ nodes, minutes, clients }: RunArguments): {
  nodes: number
  minutes: number
  isRoaming: boolean
} {
  return {
    nodes: wholeNumber('nodes', nodes, 2, 20),
    minutes: wholeNumber('minutes', minutes, 1, 600),
    isRoaming: clients === 'roaming',
  }
}
