/**
 * What a contract suite needs of an implementation under test: the subject, time, and a way to take it down.
 * Simulated ones move their virtual clock in `advance`; real ones wait.
 */
export interface Harness<T> {
  readonly subject: T
  advance(ms: number): Promise<void>
  close(): Promise<void>
}

/** Advances in steps until `condition` holds; throws, naming what was awaited, when it does not within `withinMs`. */
export async function until(
  harness: Pick<Harness<unknown>, 'advance'>,
  what: string,
  condition: () => boolean,
  withinMs = 5000,
): Promise<void> {
  const stepMs = 10
  for (let waitedMs = 0; !condition(); waitedMs += stepMs) {
    if (waitedMs >= withinMs) throw new Error(`not within ${withinMs} ms: ${what}`)
    await harness.advance(stepMs)
  }
}
