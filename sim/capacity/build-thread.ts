/**
 * A thread that builds what it is asked for, one task after another, and answers each; started by build-in-threads.ts. In it live
 * the structures, so that their heap is its own, and nothing waits for it but its answers. It ends when it has done all.
 */
import { hrtime, threadCpuUsage } from 'node:process'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { parentPort, workerData } from 'node:worker_threads'
import type { BuildResult, BuildTask, Meter, OnProgress } from './build-result.ts'
import { buildLocal } from './local-build.ts'
import { buildFilter, buildRemote } from './remote-build.ts'

/** What the thread tells: how far a task is, and what came of it. */
export type BuildMessage =
  | { readonly task: number; readonly done: number; readonly total: number }
  | { readonly task: number; readonly result: BuildResult }

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const meter: Meter = {
  now: threadMs,
  heapBytes: () => {
    collect()
    return getHeapStatistics().used_heap_size
  },
}

/** Of processor time: other work on the machine does not count. Nodes before 23.9 know only the wall's. */
function threadMs(): number {
  if (typeof threadCpuUsage !== 'function') return Number(hrtime.bigint()) / 1e6
  const { user, system } = threadCpuUsage()
  return (user + system) / 1000
}

function build(task: BuildTask, onProgress: OnProgress): BuildResult {
  switch (task.kind) {
    case 'remote':
      return buildRemote(task, meter, onProgress)
    case 'local':
      return buildLocal(task, meter, onProgress)
    case 'filter':
      return buildFilter(task, meter, onProgress)
  }
}

const tell = (message: BuildMessage): void => parentPort?.postMessage(message)
for (const [index, task] of (workerData as readonly BuildTask[]).entries()) {
  const result = build(task, (done, total) => tell({ task: index, done, total }))
  tell({ task: index, result })
}
