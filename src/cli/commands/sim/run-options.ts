import { UsageError } from '../../faults.ts'
import { wholeNumber } from './numbers.ts'

/** What `sim chaos` and `sim replay` must be told alike, since a seed means the same run only with the same settings. */
export interface RunArguments {
  readonly nodes: string
  readonly minutes: string | undefined
  readonly hours: string | undefined
  readonly clients: string
  readonly operator: boolean
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
    describe: 'virtual time under faults, up to 600, 1 unless given; healing comes on top',
  },
  hours: {
    type: 'string',
    requiresArg: true,
    describe: 'the same in hours, up to 24, for long runs: an hour takes a minute or so of real time',
  },
  clients: {
    type: 'string',
    choices: ['roaming', 'sticky'],
    default: 'roaming',
    describe: 'whether clients go from node to node, and their sessions with them, or keep to one',
  },
  operator: {
    type: 'boolean',
    default: false,
    describe: 'an operator switches the subscription mode, drains and restarts brokers meanwhile',
  },
  json: { type: 'boolean', default: false, describe: 'one JSON document on stdout' },
} as const

export function runOf({ nodes, minutes, hours, clients, operator }: RunArguments): {
  nodes: number
  minutes: number
  isRoaming: boolean
  isOperated: boolean
} {
  if (minutes !== undefined && hours !== undefined)
    throw new UsageError('minutes and hours are the same length: give one of them')
  return {
    nodes: wholeNumber('nodes', nodes, 2, 20),
    minutes:
      hours === undefined
        ? wholeNumber('minutes', minutes ?? '1', 1, 600)
        : 60 * wholeNumber('hours', hours, 1, 24),
    isRoaming: clients === 'roaming',
    isOperated: operator,
  }
}
