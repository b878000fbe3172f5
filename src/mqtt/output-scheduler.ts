/**
 * Flushes the connections that have something to send, once per tick, and wakes those that wait for something the whole
 * node waits for: the journal, full queues to other nodes, the end of a suspension.
 *
 * It knows nothing of MQTT. Invariant: a connection that was marked is flushed in the same tick or is in one of the waiting
 * sets.
 */
import type { Clock } from '../core/ports/clock.ts'

export interface Flushable {
  flush(): void
  /** Reads on, after it was stopped with `stopReading`. */
  continueReading(): void
}

export class OutputScheduler {
  readonly #clock: Clock
  #dirty: Flushable[] = []
  #spare: Flushable[] = []
  #scheduled = false
  readonly #waitingForStore = new Set<Flushable>()
  readonly #stopped = new Set<Flushable>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Flushes it at the end of this tick. The caller marks a connection once per tick. */
  mark(connection: Flushable): void {
    this.#dirty.push(connection)
    if (this.#scheduled) return
    this.#scheduled = true
    this.#clock.defer(this.#flushAll)
  }

  /** Flushes it after the journal's next commit. */
  awaitStore(connection: Flushable): void {
    this.#waitingForStore.add(connection)
  }

  onCommitted(): void {
    if (this.#waitingForStore.size === 0) return
    const waiting = [...this.#waitingForStore]
    this.#waitingForStore.clear()
    for (const connection of waiting) connection.flush()
  }

  /** Has `continueReading` called at the next `wake`. */
  awaitWake(connection: Flushable): void {
    this.#stopped.add(connection)
  }

  /** Lets everything that was stopped try again. */
  wake(): void {
    const stopped = [...this.#stopped]
    this.#stopped.clear()
    for (const connection of stopped) {
      connection.flush()
      connection.continueReading()
    }
  }

  forget(connection: Flushable): void {
    this.#waitingForStore.delete(connection)
    this.#stopped.delete(connection)
  }

  readonly #flushAll = (): void => {
    this.#scheduled = false
    const dirty = this.#dirty
    this.#dirty = this.#spare
    for (const connection of dirty) connection.flush()
    dirty.length = 0
    this.#spare = dirty
  }
}
