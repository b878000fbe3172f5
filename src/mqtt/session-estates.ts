/**
 * What sessions that are over leave to the other members of their shared subscriptions: it is given to those, here or on
 * another node, in the order in which it came (PROTOCOLS section 11).
 *
 * A page of each estate is under way at a time, so that long queues and many sessions that end at once take bounded work per
 * turn, and so that whoever gets it sets the pace. Who gets what is the router's choice; when nobody is a member, it drops it.
 * How often a message is left is not bounded, since it takes the end of a session each time: its expiry is. Invariant: of a
 * session in the journal a message stays there until whoever got it has it on disk, or has it where a publication would be
 * acknowledged. So nothing is lost by a crash in between, and after one the page that was under way is given again: at QoS 1
 * members may get it twice, and at QoS 2, too, as when the crash is that of the node it was published at.
 */
import { limits } from '../core/limits.ts'
import type { Acceptance } from '../core/ports/routing.ts'
import type { EstateId, QueuedRecord, StoredSession } from '../core/ports/session-journal.ts'
import { CommitWaiters } from './commit-waiters.ts'
import type { MqttServices } from './mqtt-services.ts'
import type { LegacyMessage, Session } from './session.ts'

interface Estate {
  /** Undefined: its session was not in the journal. */
  readonly id: EstateId | undefined
  readonly messages: readonly LegacyMessage[]
  /** How many others have by now. */
  given: number
}

type EstateServices = Pick<MqttServices, 'journal' | 'router' | 'ownership' | 'clock' | 'stats'>

export class SessionEstates {
  readonly #services: EstateServices
  readonly #commits: CommitWaiters
  /** Those of which nothing is under way. */
  readonly #waiting = new Set<Estate>()
  #isServing = false
  #isDue = false
  #count = 0

  constructor(services: EstateServices) {
    this.#services = services
    this.#commits = new CommitWaiters(services.journal, services.clock)
  }

  /** Messages that nobody else has yet. */
  get count(): number {
    return this.#count
  }

  /** Takes what a session leaves out of the journal's hands, or the session, when that is nothing. */
  add(session: Session, messages: readonly LegacyMessage[]): void {
    const { journal } = this.#services
    const { clientId, token, expiryIntervalSeconds, disconnectedAtMs, isJournaled } = session
    if (messages.length === 0) {
      if (isJournaled) journal.deleteSession(clientId)
      return
    }
    const positions = messages.map(({ position }) => position)
    const record = { clientId, token, expiryIntervalSeconds, disconnectedAtMs }
    this.#enter({ id: isJournaled ? journal.bequeath(record, positions) : undefined, messages, given: 0 })
  }

  /**
   * Takes messages that were given to the session by a shared subscription on an earlier node, and came here when it had ended that:
   * they are new, so not for its client [MQTT-3.10.4-2]. Within a change of the journal.
   */
  leave(session: Session, entries: readonly QueuedRecord[]): void {
    const messages = entries.filter(isLegacy)
    if (messages.length === 0) return
    const { clientId, token, expiryIntervalSeconds, disconnectedAtMs, isJournaled } = session
    const record = { clientId, token, expiryIntervalSeconds, disconnectedAtMs }
    this.#enter({
      id: isJournaled ? this.#services.journal.leave(record, messages) : undefined,
      messages,
      given: 0,
    })
  }

  /** What an earlier life of the process had not given, or not known to be given. */
  restore(id: EstateId, queue: StoredSession['queue']): void {
    const messages: LegacyMessage[] = []
    for (const entry of queue) {
      if (!('isReleased' in entry) && entry.target !== undefined)
        messages.push({ position: entry.position, target: entry.target, publication: entry.publication })
    }
    this.#enter({ id, messages, given: 0 })
  }

  /** The node knows the others' members. */
  serve(): void {
    this.#isServing = true
    this.wake()
  }

  /** It may act again, perhaps. */
  wake(): void {
    if (this.#isDue || !this.#isServing || this.#waiting.size === 0) return
    this.#isDue = true
    this.#services.clock.defer(() => this.#turn())
  }

  /** What is not given stays in the journal for the next life. */
  stop(): void {
    this.#isServing = false
  }

  #enter(estate: Estate): void {
    this.#count += estate.messages.length
    this.#waiting.add(estate)
    this.wake()
  }

  #turn(): void {
    this.#isDue = false
    if (!this.#isServing || !this.#services.ownership.mayAcknowledge()) return
    let left: number = limits.estateMessagesPerTurnMax
    for (const estate of this.#waiting) {
      if (left <= 0) break
      this.#waiting.delete(estate)
      left -= this.#givePage(estate)
    }
    this.wake()
  }

  #givePage(estate: Estate): number {
    const { router, clock, stats } = this.#services
    const page = estate.messages.slice(estate.given, estate.given + limits.estatePageMessagesMax)
    const handover = new Handover(() => this.#commits.whenCommitted(() => this.#given(estate, page)))
    const nowMs = clock.wallNow()
    for (const { publication, target } of page) {
      if (publication.expiresAtMs !== undefined && publication.expiresAtMs <= nowMs) stats.droppedExpired++
      else router.giveToAnother(publication, target, handover)
    }
    handover.settle()
    return page.length
  }

  #given(estate: Estate, page: readonly LegacyMessage[]): void {
    if (!this.#isServing) return // the journal is about to be closed
    const { id, messages } = estate
    this.#count -= page.length
    estate.given += page.length
    if (id !== undefined)
      this.#services.journal.dequeueEstate(
        id,
        page.map(({ position }) => position),
      )
    if (estate.given === messages.length) return
    this.#waiting.add(estate)
    this.wake()
  }
}

function isLegacy(entry: QueuedRecord): entry is QueuedRecord & LegacyMessage {
  return entry.target !== undefined
}

/** Until everybody who was given something of a page has it. What this node's journal must have is waited for afterwards. */
class Handover implements Acceptance {
  readonly #onSettled: () => void
  #outstanding = 1

  constructor(onSettled: () => void) {
    this.#onSettled = onSettled
  }

  expect(): void {
    this.#outstanding++
  }

  settle(): void {
    if (--this.#outstanding === 0) this.#onSettled()
  }

  /** All that was appended is. */
  requireCommitted(): void {}
}
