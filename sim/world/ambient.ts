/**
 * What of the real world a simulation may touch, which is next to nothing: draining promises between events, and hearing of
 * rejections nobody handled. Everything else that would let reality in throws while `isolated` runs.
 */

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

/** Resolves when every promise that can settle by itself has: the microtask queue is empty then. */
export function promisesSettled(): Promise<void> {
  return new Promise(resolve => realSetImmediate(resolve))
}

/** Runs `simulation` with those globals throwing. Rejections that nobody handles go to `onUnhandled`. */
export async function isolated<T>(
  simulation: () => Promise<T>,
  onUnhandled: (reason: unknown) => void,
): Promise<T> {
  const restores = forbidden.map(([holder, name]) => forbid(holder, name))
  const others = process.listeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection')
  process.on('unhandledRejection', onUnhandled)
  try {
    return await simulation()
  } finally {
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
