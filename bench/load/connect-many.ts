import { LoadConnection, type LoadConnectionOptions } from './load-connection.ts'

/** Handshakes under way at once while a run is being set up. */
const concurrent = 64

/** Runs `task` for 0 … count−1, some at a time, and keeps the order of the answers. */
export async function forEachConcurrently<T>(
  count: number,
  task: (index: number) => Promise<T>,
): Promise<T[]> {
  const results = new Array<T>(count)
  let next = 0
  const worker = async () => {
    while (next < count) {
      const index = next++
      results[index] = await task(index)
    }
  }
  await Promise.all(Array.from({ length: Math.min(concurrent, count) }, worker))
  return results
}

/** Opens `count` clients that differ in their ids, and subscribes each when `subscribe` is given. */
export async function connectMany(
  count: number,
  options: (index: number) => LoadConnectionOptions,
  subscribe?: (connection: LoadConnection, index: number) => Promise<void>,
): Promise<LoadConnection[]> {
  return forEachConcurrently(count, async index => {
    const connection = await LoadConnection.open(options(index))
    await subscribe?.(connection, index)
    return connection
  })
}
