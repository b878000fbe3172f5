import { serveSimulations } from '../world/simulation-thread.ts'
import type { PointRequest } from './sweep.ts'
import { runPoint } from './run-point.ts'

serveSimulations(({ settings, costs }: PointRequest, onProgress) => runPoint(settings, costs, onProgress))
