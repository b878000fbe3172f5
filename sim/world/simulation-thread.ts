/**
 * The inside of a thread that runs simulations one after another: a realm of its own, whose globals throw while one runs and
 * concern nobody else. A module that is run in a thread calls `serveSimulations` and is named `…-thread.ts`.
 */
import { parentPort } from 'node:worker_threads'

/** What the pool is told of a simulation. */
export type ThreadAnswer<Result> = { readonly result: Result } | { readonly error: unknown }

/** Answers each argument the pool sends with what `simulate` makes of it. Both are copied on their way. */
export function serveSimulations(simulate: (argument: never) => Promise<unknown>): void {
  const port = parentPort
  if (port === null) throw new Error('a simulation thread is started by a SimulationPool, not by itself')
  port.on('message', (argument: unknown) => {
    // The pool's types see to it that arguments fit.
    simulate(argument as never).then(
      result => port.postMessage({ result } satisfies ThreadAnswer<unknown>),
      (error: unknown) => port.postMessage({ error } satisfies ThreadAnswer<unknown>),
    )
  })
}
