/**
 * The inside of a thread that runs simulations one after another: a realm of its own, whose globals throw while one runs and
 * concern nobody else. A module that is run in a thread calls `serveSimulations` and is named `…-thread.ts`.
 */
import { parentPort } from 'node:worker_threads'

/** What the pool is told of a simulation. */
export type ThreadAnswer<Result> =
  { readonly result: Result } | { readonly error: unknown } | { readonly share: number }

/**
 * Answers each argument the pool sends with what `simulate` makes of it, and may say on the way which share of it is done. All
 * are copied on their way.
 */
export function serveSimulations(
  simulate: (argument: never, onProgress: (share: number) => void) => Promise<unknown>,
): void {
  const port = parentPort
  if (port === null) throw new Error('a simulation thread is started by a SimulationPool, not by itself')
  port.on('message', (argument: unknown) => {
    // The pool's types see to it that arguments fit.
    const onProgress = (share: number): void => port.postMessage({ share } satisfies ThreadAnswer<unknown>)
    simulate(argument as never, onProgress).then(
      result => port.postMessage({ result } satisfies ThreadAnswer<unknown>),
      (error: unknown) => port.postMessage({ error } satisfies ThreadAnswer<unknown>),
    )
  })
}
