import type { Clock, Timer } from '../../src/core/ports/clock.ts'

/** Why a wait for a commit ended without one. */
export type CommitFailure = 'late' | 'failed' | 'closed'

interface Waiting {
  readonly sequence: number
  readonly deadlineMs: number
  readonly settle: (failure: CommitFailure | undefined) => void
}

/**
 * Callers waiting for a store sequence to be committed, in the order they came. One timer for all of them: sequences and
 * deadlines rise together.
 */
export class CommitQueue {
  readonly #clock: Clock
  readonly #timeoutMs: number
  #waiting: Waiting[] = []
  #timer: Timer | undefined

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock
    this.#timeoutMs = timeoutMs
  }

  /** Calls `settle` once: without failure when `sequence` is committed, else with the reason. Never in this call. */
  wait(sequence: number, settle: (failure: CommitFailure | undefined) => void): void {
    this.#waiting.push({ sequence, deadlineMs: this.#clock.now() + this.#timeoutMs, settle })
    this.#arm()
  }

  committed(upTo: number): void {
    let count = 0
    while (count < this.#waiting.length && (this.#waiting[count] as Waiting).sequence <= upTo) count++
    this.#settleFirst(count, undefined)
  }

  /** Settles everybody who waits. */
  fail(failure: CommitFailure): void {
    this.#settleFirst(this.#waiting.length, failure)
  }

  #settleFirst(count: number, failure: CommitFailure | undefined): void {
    for (const { settle } of this.#waiting.splice(0, count)) settle(failure)
    if (this.#waiting.length === 0) {
      this.#timer?.cancel()
      this.#timer = undefined
    }
  }

  #arm(): void {
    const oldest = this.#waiting[0]
    if (this.#timer !== undefined || oldest === undefined) return
    this.#timer = this.#clock.schedule(Math.max(0, oldest.deadlineMs - this.#clock.now()), () => {
      this.#timer = undefined
      const nowMs = this.#clock.now()
      let count = 0
      while (count < this.#waiting.length && (this.#waiting[count] as Waiting).deadlineMs <= nowMs) count++
      this.#settleFirst(count, 'late')
      this.#arm()
    })
  }
}
