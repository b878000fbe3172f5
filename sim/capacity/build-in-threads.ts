import { Worker } from 'node:worker_threads'
import type { BuildResult, BuildTask } from './build-result.ts'
import type { BuildMessage } from './build-thread.ts'

export interface ThreadPlan {
  readonly tasks: readonly BuildTask[]
  /** Of the thread's heap: V8's own default is too small for millions of subscriptions. */
  readonly heapMegabytesMax: number
}

/**
 * Builds in as many threads as there are plans, and answers what was built, in order; `undefined` stands for what was not when
 * `signal` fired. Rejects when a thread fails. `onProgress` gets the share of all work that is done.
 */
export async function buildInThreads(
  plans: readonly ThreadPlan[],
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<readonly (readonly (BuildResult | undefined)[])[]> {
  const weights = plans.map(({ tasks }) => tasks.map(weightOf))
  const total = weights.flat().reduce((sum, weight) => sum + weight, 0)
  const done = weights.map(tasks => tasks.map(() => 0))
  return await Promise.all(
    plans.map((plan, thread) =>
      runThread(plan, signal, (task, share) => {
        done[thread]![task] = share * (weights[thread]?.[task] ?? 0)
        onProgress(done.flat().reduce((sum, weight) => sum + weight, 0) / total)
      }),
    ),
  )
}

/** About how long a task takes, in filters hashed. */
function weightOf(task: BuildTask): number {
  if (task.kind === 'remote') return (task.nodes - 1) * task.exactFilters + 1
  if (task.kind === 'filter') return task.exactFilters + 1
  return task.clients * task.subscriptionsPerClient * 8 + 1
}

function runThread(
  { tasks, heapMegabytesMax }: ThreadPlan,
  signal: AbortSignal,
  onProgress: (task: number, share: number) => void,
): Promise<(BuildResult | undefined)[]> {
  const results: (BuildResult | undefined)[] = tasks.map(() => undefined)
  if (tasks.length === 0 || signal.aborted) return Promise.resolve(results)
  return new Promise((resolve, reject) => {
    const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js'
    const worker = new Worker(new URL(`./build-thread${extension}`, import.meta.url), {
      workerData: tasks,
      resourceLimits: { maxOldGenerationSizeMb: heapMegabytesMax },
    })
    const abort = (): void => void worker.terminate()
    signal.addEventListener('abort', abort, { once: true })
    worker.on('message', (message: BuildMessage) => {
      if ('result' in message) results[message.task] = message.result
      onProgress(message.task, 'result' in message ? 1 : message.done / message.total)
    })
    worker.on('error', reject)
    worker.on('exit', () => {
      signal.removeEventListener('abort', abort)
      resolve(results)
    })
  })
}
