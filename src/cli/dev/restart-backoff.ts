const DELAY_MS_MIN = 500
const DELAY_MS_MAX = 10_000
/** A process that ran this long was well; its next failure starts from the shortest delay. */
const HEALTHY_MS = 10_000

/** How long to wait before starting a died process again: doubling, from 500 ms to 10 s. */
export class RestartBackoff {
  #nextMs = DELAY_MS_MIN

  /** `ranMs`: how long the process that died had run. */
  next(ranMs: number): number {
    if (ranMs >= HEALTHY_MS) this.#nextMs = DELAY_MS_MIN
    const delayMs = this.#nextMs
    this.#nextMs = Math.min(DELAY_MS_MAX, delayMs * 2)
    return delayMs
  }
}
