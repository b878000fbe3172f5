import { pause, type Lab } from './lab.ts'

const LOOK_MS = 500
const LOOKS_MAX = 120

/**
 * Waits until the leader among these nodes has counted the sessions in the coordination store, which it does for some seconds after
 * every start: up to a quarter of a core that is no cost of anything measured later. Throws when it takes a minute.
 */
export async function untilAtRest({ signal }: Lab, adminUrls: readonly string[]): Promise<void> {
  for (let look = 0; look < LOOKS_MAX; look++) {
    const counted = await Promise.all(adminUrls.map(adminUrl => hasCounted(adminUrl, signal)))
    if (counted.includes(true)) return
    await pause(LOOK_MS)
    signal.throwIfAborted()
  }
  throw new Error('no leader counted the sessions within a minute: the machine is too busy to measure it')
}

async function hasCounted(adminUrl: string, signal: AbortSignal): Promise<boolean> {
  const response = await fetch(`${adminUrl}/api/v1/leader`, { signal })
  if (!response.ok) throw new Error(`the node at ${adminUrl} answered ${response.status} about the leader`)
  const { census } = (await response.json()) as { census: { sessions: unknown } | null }
  return census !== null && census.sessions !== null
}
