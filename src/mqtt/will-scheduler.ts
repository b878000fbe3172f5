/**
 * Publishes wills: those of this node's clients, at once or after their delay unless the client returns (MQTT 5 section
 * 3.1.3.2.2), and those the leader of the cluster publishes for dead nodes.
 *
 * A will keeps the id it got at CONNECT, whoever publishes it and how often, so it is delivered once. Invariant: each pending
 * will fires once or is cancelled; what is kept of it outside this node is given up after that, lazily, by its owner.
 */
import type { ClientId, FencingToken } from '../core/ids.ts'
import type { Timer } from '../core/ports/clock.ts'
import type { Acceptance } from '../core/ports/routing.ts'
import type { WillRecord } from '../core/ports/session-journal.ts'
import type { MqttServices } from './mqtt-services.ts'
import { willRecord, type Will } from './will.ts'

/** Nobody waits for a will of this node's own client to be accepted. */
const nobody: Acceptance = { expect() {}, settle() {}, requireCommitted() {} }

type WillServices = Pick<
  MqttServices,
  'clock' | 'router' | 'stats' | 'retained' | 'options' | 'journal' | 'ownership'
>

/** The session whose client went. */
interface WillOwner {
  readonly clientId: ClientId
  readonly token: FencingToken
  /** Seconds. */
  readonly expiryIntervalSeconds: number
  /** The one kept for it. */
  readonly will: Will | undefined
  keepWill(will: undefined): void
}

interface PendingWill {
  readonly will: Will
  readonly owner: WillOwner
  readonly token: FencingToken
  readonly timer: Timer
}

export class WillScheduler {
  readonly #services: WillServices
  readonly #isClaiming: (clientId: ClientId) => boolean
  readonly #pending = new Map<ClientId, PendingWill>()
  /** Published for the leader, not all committed here. */
  #uncommitted: WillAcceptance[] = []

  /** `isClaiming`: what is kept of the client elsewhere is being changed for a CONNECT, and is seen to once that is over. */
  constructor(services: WillServices, isClaiming: (clientId: ClientId) => boolean) {
    this.#services = services
    this.#isClaiming = isClaiming
    services.journal.onCommitted(() => {
      if (this.#uncommitted.length > 0) this.#uncommitted = this.#uncommitted.filter(one => !one.check())
    })
  }

  /**
   * The client went without DISCONNECT: due at min(will delay, session expiry) [MQTT-3.1.3-9]. `isReplaced`: a later
   * connection of the client has taken its place, whose will is the one that is kept by now.
   */
  connectionLost(owner: WillOwner, will: Will, isReplaced = false): void {
    const { clientId, token, expiryIntervalSeconds } = owner
    const delayMs = Math.min(will.delaySeconds, expiryIntervalSeconds) * 1000
    if (delayMs === 0) {
      this.#publish(will, nobody)
      if (!isReplaced) this.#keep(clientId, token, undefined)
      return
    }
    this.cancel(clientId)
    const { clock } = this.#services
    const timer = clock.schedule(delayMs, () => this.sessionEnded(clientId))
    this.#pending.set(clientId, { will, owner, token, timer })
    // Should this node die, the leader is to know when it is due.
    if (!isReplaced) this.#keep(clientId, token, willRecord(will), clock.wallNow() + delayMs)
  }

  /** The client went in peace: there is nothing to publish [MQTT-3.14.4-3]. */
  discard({ clientId, token }: WillOwner): void {
    this.#keep(clientId, token, undefined)
  }

  isPending(clientId: ClientId): boolean {
    return this.#pending.has(clientId)
  }

  /** The client is back, or its session has left with all that belongs to it. What is kept elsewhere is left to who has it now. */
  cancel(clientId: ClientId): void {
    this.#pending.get(clientId)?.timer.cancel()
    this.#pending.delete(clientId)
  }

  /** The delay is over, or there is nothing to come back to: publishes what is pending [MQTT-3.1.2-8]. */
  sessionEnded(clientId: ClientId): void {
    const pending = this.#pending.get(clientId)
    if (pending === undefined) return
    this.cancel(clientId)
    const { owner, will, token } = pending
    this.#publish(will, nobody)
    if (owner.will?.publication === will.publication) owner.keepWill(undefined)
    this.#keep(clientId, token, undefined)
  }

  /** Publishes a dead node's client's will. Resolves when every node it concerns has it, this one on disk. */
  publishFor(will: WillRecord): Promise<void> {
    return new Promise(resolve => {
      const acceptance = new WillAcceptance(this.#services.journal, resolve)
      this.#publish(will, acceptance)
      if (!acceptance.routed()) this.#uncommitted.push(acceptance)
    })
  }

  /** Delayed wills stay in the journal and where else they are kept: this node's next life or the leader publishes them. */
  stop(): void {
    for (const clientId of [...this.#pending.keys()]) this.cancel(clientId)
  }

  #keep(clientId: ClientId, token: FencingToken, will: WillRecord | undefined, dueAtMs?: number): void {
    if (!this.#isClaiming(clientId)) void this.#services.ownership.setWill(clientId, token, will, dueAtMs)
  }

  #publish(will: Will, acceptance: Acceptance): void {
    const { stats, clock, options, retained, router } = this.#services
    stats.willsPublished++
    const { publication, messageExpirySeconds } = will
    const expiresAtMs =
      messageExpirySeconds === undefined ? undefined : clock.wallNow() + messageExpirySeconds * 1000
    const message = { ...publication, expiresAtMs }
    if (message.retain && options.retainAvailable) retained.publish(message) // [MQTT-3.1.2-15]
    router.publish(message, message.qos === 0 ? undefined : acceptance)
  }
}

/** Waits for the other nodes and for the journal, then calls back once. */
class WillAcceptance implements Acceptance {
  readonly #journal: Pick<MqttServices['journal'], 'appended' | 'committed'>
  readonly #done: () => void
  #expected = 0
  #sequence = 0
  #isRouted = false
  #isDone = false

  constructor(journal: Pick<MqttServices['journal'], 'appended' | 'committed'>, done: () => void) {
    this.#journal = journal
    this.#done = done
  }

  expect(): void {
    this.#expected++
  }

  settle(): void {
    this.#expected--
    this.check()
  }

  requireCommitted(storeSequence: number): void {
    this.#sequence = Math.max(this.#sequence, storeSequence)
  }

  /** Nothing more is expected from now on. */
  routed(): boolean {
    this.#isRouted = true
    // A retained will, at QoS 0 as well, is in the journal by now.
    this.#sequence = Math.max(this.#sequence, this.#journal.appended)
    return this.check()
  }

  check(): boolean {
    const isComplete = this.#isRouted && this.#expected === 0 && this.#journal.committed >= this.#sequence
    if (!isComplete || this.#isDone) return this.#isDone
    this.#isDone = true
    this.#done()
    return true
  }
}
