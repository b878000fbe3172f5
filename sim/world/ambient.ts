/**
 * What of the real world a simulation may touch, which is next to nothing: draining promises between events, and hearing of
 * rejections nobody handled. Everything else that would let reality in throws while `isolated` runs.
 *
 * Invariant: the main thread's globals are never touched. A simulation that hangs takes the thread it has with it, and nobody
 * else's time.
 */
import { isMainThread } from 'node:worker_threads'

/** Replaced while a simulation runs: the globals by which real time and real chance come in. */
const forbidden: readonly (readonly [holder: object, name: string])[] = [
  [Date, 'now'],
  [Math, 'random'],
  [globalThis, 'setTimeout'],
  [globalThis, 'setInterval'],
  [globalThis, 'setImmediate'],
  [performance, 'now'],
  [globalThis.crypto, 'randomUUID'],
  [globalThis.crypto, 'getRandomValues'],
]

const realSetImmediate = setImmediate

/** A turn of the event loop costs more than most events, but only between turns Node tells of unhandled rejections. */
const SETTLINGS_PER_TURN = 64

/**
 * What resolves when every promise that can settle by itself has: called from a microtask, a tick comes when their queue is
 * empty. The first time it may not be called from one, so that is a turn.
 */
export function settling(): () => Promise<void> {
  let count = 0
  return () =>
    new Promise(resolve => {
      if (count++ % SETTLINGS_PER_TURN === 0) realSetImmediate(resolve)
      else process.nextTick(resolve)
    })
}

/** Runs `simulation` with those globals throwing, in a thread only. Rejections that nobody handles go to `onUnhandled`. */
export async function isolated<T>(
  simulation: () => Promise<T>,
  onUnhandled: (reason: unknown) => void,
): Promise<T> {
  if (isMainThread)
    throw new Error('simulations run in threads of a SimulationPool, never in the main thread')
  const restores = forbidden.map(([holder, name]) => forbid(holder, name))
  const others = process.listeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection')
  process.on('unhandledRejection', onUnhandled)
  try {
    return await simulation()
  } finally {
    await new Promise(resolve => realSetImmediate(resolve))
    process.off('unhandledRejection', onUnhandled)
    for (const listener of others) process.on('unhandledRejection', listener)
    for (const restore of restores) restore()
  }
}

function forbid(holder: object, name: string): () => void {
  const own = Object.getOwnPropertyDescriptor(holder, name)
  Object.defineProperty(holder, name, {
    configurable: true,
    writable: true,
    value: () => {
      throw new Error(`${name} was called in a simulation: time and chance come through ports only`)
    },
  })
  return () => {
    if (own === undefined) Reflect.deleteProperty(holder, name)
    else Object.defineProperty(holder, name, own)
  }
}
