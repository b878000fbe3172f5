/**
 * Gets the payloads of large retained messages from nodes that have them: the holders first, then whoever else may.
 *
 * It keeps nothing, and never decides what a topic's message is: a payload counts only under the very stamp, and with the length,
 * that the entry here has. Invariants: one question for a message is under way at a time, however many wait for it; who waits
 * is called back once; count and bytes of what is under way are bounded, the rest waits its turn.
 */
import type { NodeId } from '../src/core/ids.ts'
import { limits } from '../src/core/limits.ts'
import type { Clock, Timer } from '../src/core/ports/clock.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { PeerTransport } from '../src/core/ports/peer-transport.ts'
import type { RetainedEntry } from '../src/core/ports/retained.ts'
import type { RetainedStamp } from '../src/core/publication.ts'
import { payloadBytesOf } from '../src/core/retained-entry.ts'
import { encodeRetainedFrame } from './retained-frame-codec.ts'

export type FetchDone = (payload: Uint8Array | undefined) => void

export interface FetchStats {
  /** Payloads that came. */
  found: number
  /** … that no node had that could be asked. */
  missing: number
  /** … for which a subscriber waited. */
  undelivered: number
}

interface Fetch {
  readonly topic: string
  readonly stamp: RetainedStamp
  readonly byteCount: number
  readonly waiting: FetchDone[]
  readonly begunMs: number
  /** A subscriber waits: worth another try while some node could not be asked. */
  isPatient: boolean
  /** Still to be asked, in this order. */
  candidates: NodeId[]
  /** Whose answer is waited for. */
  asked: NodeId | undefined
  readonly everAsked: Set<NodeId>
  /** Somebody who may have it could not be asked, or did not answer. */
  isUncertain: boolean
  timer: Timer | undefined
}

export class RetainedFetches {
  readonly stats: FetchStats = { found: 0, missing: 0, undelivered: 0 }
  readonly #transport: Pick<PeerTransport, 'send'>
  readonly #clock: Clock
  readonly #logger: Logger
  /** Whom to ask about a topic, in which order. */
  readonly #candidatesFor: (topic: string) => NodeId[]
  readonly #fetches = new Map<string, Fetch>()
  readonly #waiting = new Set<Fetch>()
  #underWay = 0
  #underWayBytes = 0
  #isBeginning = false
  #loggedAtMs = -Infinity
  #isStopped = false

  constructor(
    components: { transport: Pick<PeerTransport, 'send'>; clock: Clock; logger: Logger },
    candidatesFor: (topic: string) => NodeId[],
  ) {
    this.#transport = components.transport
    this.#clock = components.clock
    this.#logger = components.logger
    this.#candidatesFor = candidatesFor
  }

  fetch(entry: RetainedEntry, isPatient: boolean, done: FetchDone): void {
    const { topic, stamp } = entry
    const known = this.#fetches.get(keyOf(topic, stamp))
    if (known !== undefined) {
      known.isPatient ||= isPatient
      known.waiting.push(done)
      return
    }
    const fetch: Fetch = {
      topic,
      stamp,
      byteCount: payloadBytesOf(entry),
      waiting: [done],
      begunMs: this.#clock.now(),
      isPatient,
      candidates: [],
      asked: undefined,
      everAsked: new Set(),
      isUncertain: false,
      timer: undefined,
    }
    this.#fetches.set(keyOf(topic, stamp), fetch)
    this.#waiting.add(fetch)
    this.#beginWaiting()
  }

  /** What a node answered; undefined: it has no such payload. False: that cannot be the payload. */
  answered(from: NodeId, topic: string, stamp: RetainedStamp, payload: Uint8Array | undefined): boolean {
    const fetch = this.#fetches.get(keyOf(topic, stamp))
    // Late answers are as good as others.
    if (fetch === undefined || !fetch.everAsked.has(from)) return true
    if (payload === undefined) {
      if (fetch.asked === from) this.#askNext(fetch)
      return true
    }
    if (payload.length !== fetch.byteCount) return false
    // A part of a network chunk would keep all of it.
    this.#end(fetch, Buffer.from(payload))
    return true
  }

  linkDown(nodeId: NodeId): void {
    for (const fetch of this.#fetches.values()) if (fetch.asked === nodeId) this.#unanswered(fetch)
  }

  /** Nobody is called back any more. */
  stop(): void {
    this.#isStopped = true
    for (const { timer } of this.#fetches.values()) timer?.cancel()
    this.#fetches.clear()
    this.#waiting.clear()
  }

  #beginWaiting(): void {
    // Those that fail at once lead back here.
    if (this.#isBeginning) return
    this.#isBeginning = true
    for (const fetch of this.#waiting) {
      const hasRoom =
        this.#underWay < limits.retainedFetchesMax &&
        this.#underWayBytes + fetch.byteCount <= limits.retainedFetchBytesMax
      if (this.#underWay > 0 && !hasRoom) break
      this.#waiting.delete(fetch)
      this.#underWay++
      this.#underWayBytes += fetch.byteCount
      this.#begin(fetch)
    }
    this.#isBeginning = false
  }

  #begin(fetch: Fetch): void {
    fetch.candidates = this.#candidatesFor(fetch.topic)
    fetch.isUncertain = false
    this.#askNext(fetch)
  }

  #askNext(fetch: Fetch): void {
    fetch.timer?.cancel()
    const { topic, stamp } = fetch
    const frame = encodeRetainedFrame({ type: 'fetch', topic, stamp })
    for (let next = fetch.candidates.shift(); next !== undefined; next = fetch.candidates.shift()) {
      if (this.#transport.send(next, 'retained', frame)) {
        fetch.asked = next
        fetch.everAsked.add(next)
        fetch.timer = this.#clock.schedule(limits.retainedAnswerMs, () => this.#unanswered(fetch))
        return
      }
      fetch.isUncertain = true
    }
    fetch.asked = undefined
    const isWorthWhile = fetch.isPatient && fetch.isUncertain
    if (isWorthWhile && this.#clock.now() - fetch.begunMs < limits.retainedFetchMs) {
      fetch.timer = this.#clock.schedule(RETRY_MS, () => this.#begin(fetch))
    } else {
      this.#end(fetch, undefined)
    }
  }

  #unanswered(fetch: Fetch): void {
    fetch.isUncertain = true
    this.#askNext(fetch)
  }

  #end(fetch: Fetch, payload: Uint8Array | undefined): void {
    if (this.#isStopped) return
    fetch.timer?.cancel()
    this.#fetches.delete(keyOf(fetch.topic, fetch.stamp))
    this.#underWay--
    this.#underWayBytes -= fetch.byteCount
    this.stats[payload === undefined ? 'missing' : 'found']++
    if (payload === undefined && fetch.isPatient) this.#notDelivered(fetch)
    for (const done of fetch.waiting) done(payload)
    this.#beginWaiting()
  }

  #notDelivered({ topic, byteCount, everAsked }: Fetch): void {
    this.stats.undelivered++
    const nowMs = this.#clock.now()
    if (nowMs - this.#loggedAtMs < LOG_INTERVAL_MS) return
    this.#loggedAtMs = nowMs
    this.#logger.warn(
      'a retained message was not delivered: no node that can be asked has its payload; it is back when one that keeps it is',
      { topic, bytes: byteCount, asked: [...everAsked].join(', '), undelivered: this.stats.undelivered },
    )
  }
}

/** After everybody was tried in vain. */
const RETRY_MS = 500
/** Between two lines in the log; the counter has the rest. */
const LOG_INTERVAL_MS = 10_000

function keyOf(topic: string, { time, incarnation }: RetainedStamp): string {
  return `${time}/${incarnation}/${topic}`
}
