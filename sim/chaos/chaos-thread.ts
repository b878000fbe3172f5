import { serveSimulations } from '../world/simulation-thread.ts'
import { type ChaosOptions, runChaos } from './chaos-run.ts'

serveSimulations((options: ChaosOptions) => runChaos(options))
