/**
 * What another node gets that lies in a peer's outbox, and was refused by that peer: until that node has it, or its own outbox, the
 * record stays where it is, since nobody else has it should this process die.
 */
import type { Acceptance } from '../src/core/ports/routing.ts'

export class Handover implements Acceptance {
  #outstanding = 1
  #onSettled: () => void = () => undefined

  expect(): void {
    this.#outstanding++
  }

  settle(): void {
    if (--this.#outstanding === 0) this.#onSettled()
  }

  /** It was appended before the record goes, and one journal has both. */
  requireCommitted(): void {}

  /** Calls back when it is there: now, or once later. */
  whenSettled(done: () => void): void {
    if (this.#outstanding === 0) done()
    else this.#onSettled = done
  }
}
