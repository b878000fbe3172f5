/**
 * Puts messages of an earlier owner's tail into the queue of a session that has moved, each in the place it had there.
 *
 * An earlier owner stays in the routes until the new ones are in force everywhere, so that its tail has everything up to then,
 * in order, whatever nodes a publisher was on. What came directly as well waits behind the tail, and moves to the place the tail
 * has for it. What came directly alone stays behind: its node had let go of the earlier owner, since each owner is known to all
 * nodes before the session leaves it (session-departures.ts). Invariant: of two messages in a tail none that waits is sent in another order than the tail's.
 */
import type { QueuedRecord, TailMark } from '../core/ports/session-journal.ts'
import type { MessageId } from '../core/publication.ts'
import type { Session } from './session.ts'

export class TailPlaces {
  /** Not for the session: its shared subscriptions by which they came have been ended here. */
  readonly left: QueuedRecord[] = []
  readonly #session: Session
  readonly #from: number
  readonly #restTo: number
  /** What waits at or behind `from`, by id; made when a copy first comes. */
  #waiting: Map<string, QueuedRecord> | undefined

  /** `mark`: of that owner, at the place of the next message; undefined: nothing will follow. Valid within one turn. */
  constructor(session: Session, mark: TailMark | undefined) {
    this.#session = session
    this.#from = mark?.position ?? Infinity
    this.#restTo = mark?.restTo ?? 0
  }

  /**
   * Adds the message, unless its subscription has been ended here [MQTT-3.10.4-2], or the session has it. What was queued before
   * the session left that owner belongs to it as if it had come with it, whatever it subscribes to now.
   */
  follow(entry: QueuedRecord): void {
    const { publication, position } = entry
    const session = this.#session
    const wanted = position < this.#restTo ? 'queued' : session.subscriptions.kindFor(entry)
    if (wanted === undefined) {
      if (entry.target !== undefined) this.left.push(entry)
      return
    }
    const isRepeated = session.arrival?.isRepeated(publication) === true
    // Else a copy that is repeated to those who lack it would come as another message.
    if (publication.id !== undefined && wanted === 'ordinary') session.history.fillGap(publication.id)
    if (!isRepeated) {
      if (wanted === 'shared' || session.takesWill(publication)) session.addTail(entry)
    } else if (publication.id !== undefined) {
      const waiting = this.#waitingById()
      const name = nameOf(publication.id)
      const copy = waiting.get(name)
      if (copy === undefined) return
      // The first place counts: an owner that was restarted may have been sent it twice.
      waiting.delete(name)
      session.advance(copy, position)
    }
  }

  #waitingById(): Map<string, QueuedRecord> {
    if (this.#waiting !== undefined) return this.#waiting
    this.#waiting = new Map()
    for (const { publication, ...message } of this.#session.queue.waitingFrom(this.#from)) {
      if (publication?.id !== undefined)
        this.#waiting.set(nameOf(publication.id), { ...message, publication })
    }
    return this.#waiting
  }
}

function nameOf({ incarnation, number }: MessageId): string {
  return `${incarnation}:${number}`
}
