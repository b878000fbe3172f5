import type {
  CoordinationEvent,
  CoordinationWatch,
  CoordinationWatcher,
} from '../../src/core/ports/coordination-store.ts'
import type { KeyValueState } from './key-value-state.ts'

interface Watching {
  readonly prefix: string
  readonly watcher: CoordinationWatcher
  /** Revision up to which it has been told; undefined before its first reset. */
  toldRevision: number | undefined
  closed: boolean
}

/**
 * Watchers of a `KeyValueState`, told up to a revision its owner chooses (what is durable, or what has arrived). One that
 * has fallen behind the history is reset.
 */
export class WatchHub {
  readonly #state: KeyValueState
  readonly #watching = new Set<Watching>()
  #toldRevision = 0

  constructor(state: KeyValueState) {
    this.#state = state
  }

  /** Adds a watcher; `start` is to be called once, when its first reset may be delivered. */
  add(prefix: string, watcher: CoordinationWatcher): CoordinationWatch & { start(): void } {
    const watching: Watching = { prefix, watcher, toldRevision: undefined, closed: false }
    const entries = this.#state.range(prefix)
    const revision = this.#state.revision
    this.#watching.add(watching)
    return {
      start: () => {
        if (watching.closed) return
        watching.toldRevision = revision
        watcher.onReset(entries, revision)
        if (this.#toldRevision > revision && !watching.closed)
          this.#tellOne(watching, revision, this.#toldRevision)
      },
      close: () => {
        watching.closed = true
        this.#watching.delete(watching)
      },
    }
  }

  /** Tells every watcher what happened up to `revision`. */
  tell(revision: number): void {
    this.#toldRevision = revision
    for (const watching of [...this.#watching]) {
      if (watching.toldRevision === undefined || watching.toldRevision >= revision || watching.closed)
        continue
      this.#tellOne(watching, watching.toldRevision, revision)
    }
  }

  close(): void {
    for (const watching of this.#watching) watching.closed = true
    this.#watching.clear()
  }

  #tellOne(watching: Watching, toldRevision: number, revision: number): void {
    const changes = this.#state.changesBetween(toldRevision, revision)
    if (changes === undefined) {
      watching.toldRevision = this.#state.revision
      watching.watcher.onReset(this.#state.range(watching.prefix), this.#state.revision)
      return
    }
    watching.toldRevision = revision
    const events: CoordinationEvent[] = []
    for (const change of changes) {
      for (const event of change.events) if (keyOf(event).startsWith(watching.prefix)) events.push(event)
    }
    if (events.length > 0) watching.watcher.onEvents(events, revision)
  }
}

function keyOf(event: CoordinationEvent): string {
  return event.type === 'put' ? event.entry.key : event.key
}
