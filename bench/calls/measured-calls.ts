/** How often a figure is taken; what counts is the median. */
const RUNS = 9

/** Microseconds of processor time this thread has used: other processes on the machine do not count. */
export function cpuMicros(): number {
  const { user, system } = process.threadCpuUsage()
  return user + system
}

/** The middle one of nine figures. */
export function medianOfRuns(measure: () => number): number {
  const runs = Array.from({ length: RUNS }, measure)
  return runs.sort((a, b) => a - b)[RUNS >> 1] as number
}

/** Median nanoseconds of processor time that `call(i)` takes; `i` goes on from run to run. */
export function nanosecondsPerCall(calls: number, call: (i: number) => unknown): number {
  let next = 0
  return medianOfRuns(() => {
    const start = cpuMicros()
    for (const end = next + calls; next < end; next++) call(next)
    return ((cpuMicros() - start) * 1000) / calls
  })
}
