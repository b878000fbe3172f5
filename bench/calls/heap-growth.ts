import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Bytes by which memory grew while `build` made something, which is kept until it was measured. */
export function heapGrowth(build: () => unknown): number {
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  collectGarbage()
  const before = process.memoryUsage()
  const built = build()
  collectGarbage()
  const after = process.memoryUsage()
  if (built === undefined) throw new Error('nothing was built')
  return after.heapUsed + after.external - before.heapUsed - before.external
}
