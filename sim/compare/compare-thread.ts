import { serveSimulations } from '../world/simulation-thread.ts'
import { runClaims, type ClaimsTask } from './claims-run.ts'
import { runSpread, type SpreadTask } from './spread-run.ts'

serveSimulations((task: ClaimsTask | SpreadTask): Promise<unknown> =>
  task.kind === 'claims' ? runClaims(task) : runSpread(task),
)
