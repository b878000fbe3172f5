/** A process that measures single calls, alone in its heap; started by calls-scenarios.ts. */
import { ownCpuSeconds } from '../load/cpu-meter.ts'
import type { CallsAnswer, CallsRequest } from './calls-protocol.ts'
import { codecFigures } from './codecs.ts'
import { localMatchFigures } from './local-match.ts'
import { fillIndex, measureChanges } from './remote-changes.ts'
import { remoteMatchFigures } from './remote-match.ts'

function figures(request: CallsRequest): Record<string, number> {
  switch (request.kind) {
    case 'local-match':
      return localMatchFigures(request.sizes)
    case 'remote-match':
      return remoteMatchFigures(request.sizes)
    case 'remote-changes': {
      const { nodes, filtersPerNode, changes } = request
      return { changesPerSecond: measureChanges(fillIndex(nodes, filtersPerNode), nodes, changes) }
    }
    case 'codecs':
      return codecFigures(request.calls)
  }
}

process.on('message', (request: CallsRequest) => {
  const answer: CallsAnswer = { figures: figures(request), cpuSeconds: ownCpuSeconds() }
  process.send?.(answer)
})
process.on('disconnect', () => process.exit(0))
