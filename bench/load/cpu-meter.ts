import { readdirSync, readFileSync } from 'node:fs'

/** Clock ticks per second in /proc/<pid>/stat; the kernel's ABI fixes it at 100 on every common architecture. */
const ticksPerSecond = 100

/** CPU seconds that a process's living threads have used, or NaN where there is no /proc. */
export function cpuSecondsOf(pid: number): number {
  try {
    return nanosecondsOf(pid) / 1e9
  } catch {
    return ticksOf(pid) / ticksPerSecond
  }
}

/** Throws where the kernel keeps no statistics of its scheduler. */
function nanosecondsOf(pid: number): number {
  let sum = 0
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    sum += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0])
  }
  return sum
}

function ticksOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The program name in parentheses may contain spaces; fields are counted from behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return Number(fields[11]) + Number(fields[12])
  } catch {
    return Number.NaN
  }
}

/** CPU seconds that this process has used. */
export function ownCpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}
