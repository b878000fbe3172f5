import type { IPublishPacket, Packet } from 'mqtt-packet'
import {
  type ClientProfile,
  type ClientWorld,
  fullFilter,
  type WantedSubscription,
} from './client-profile.ts'
import type { ConnectionRecord, SubscribeAttempt, SubscriptionRecord } from './history.ts'

const RETRY_MS = 300

/** The connection as subscriptions need it. */
export interface SubscriptionLink {
  /** Undefined while there is none that was accepted. */
  connection(): ConnectionRecord | undefined
  nextPacketId(): number
  send(packet: Exclude<Packet, IPublishPacket>): void
}

/** A SUBSCRIBE or UNSUBSCRIBE that waits for its answer. */
interface Request {
  readonly wanted: WantedSubscription
  readonly sentMs: number
  /** Undefined: UNSUBSCRIBE. */
  readonly attempt: SubscribeAttempt | undefined
}

/** What a client wants to be subscribed to, what is in force as far as it knows, and how one becomes the other. */
export class ClientSubscriptions {
  readonly #world: Pick<ClientWorld, 'clock' | 'history'>
  readonly #profile: ClientProfile
  readonly #link: SubscriptionLink
  readonly #wanted = new Map<string, WantedSubscription>()
  readonly #inForce = new Map<string, SubscriptionRecord>()
  readonly #requests = new Map<number, Request>()

  constructor(world: Pick<ClientWorld, 'clock' | 'history'>, profile: ClientProfile, link: SubscriptionLink) {
    this.#world = world
    this.#profile = profile
    this.#link = link
  }

  /** Whether everything wanted is in force. */
  get isComplete(): boolean {
    return this.#requests.size === 0 && [...this.#wanted.keys()].every(key => this.#inForce.has(key))
  }

  isAsking(packetId: number): boolean {
    return this.#requests.has(packetId)
  }

  want(wanted: WantedSubscription): void {
    this.#wanted.set(fullFilter(wanted), wanted)
    this.#subscribeMissing()
  }

  unwant(wanted: WantedSubscription): void {
    const key = fullFilter(wanted)
    if (!this.#wanted.delete(key)) return
    if (this.#link.connection() === undefined) return
    const record = this.#inForce.get(key)
    if (record !== undefined) record.unsubscribeSentMs ??= this.#world.clock.now()
    const messageId = this.#link.nextPacketId()
    this.#requests.set(messageId, { wanted, sentMs: this.#world.clock.now(), attempt: undefined })
    this.#link.send({ cmd: 'unsubscribe', messageId, unsubscriptions: [key] })
  }

  /** The client is connected again; `isPresent`: to the session it had. */
  resume(isPresent: boolean): void {
    if (!isPresent) {
      for (const record of this.#inForce.values()) record.endedMs ??= this.#world.clock.now()
      this.#inForce.clear()
    }
    this.#requests.clear()
    // An UNSUBSCRIBE under way when the connection broke may or may not have arrived.
    for (const [key, { filter, group, qos, barrier }] of this.#inForce) {
      if (this.#wanted.has(key)) continue
      const wanted = { filter, qos, barrier, ...(group !== undefined && { group }) }
      this.#wanted.set(key, wanted)
      this.unwant(wanted)
    }
    this.#subscribeMissing()
  }

  answered(packet: Packet & { readonly cmd: 'suback' | 'unsuback' }): void {
    const { clock } = this.#world
    const packetId = packet.messageId ?? 0
    const request = this.#requests.get(packetId)
    if (request === undefined) return
    this.#requests.delete(packetId)
    const key = fullFilter(request.wanted)
    if (request.attempt === undefined) {
      const record = this.#inForce.get(key)
      if (record !== undefined) {
        // It may have been sent before the SUBACK, and the subscription be wanted again since.
        record.unsubscribeSentMs ??= request.sentMs
        record.unsubackMs = clock.now()
      }
      this.#inForce.delete(key)
      this.#subscribeMissing()
    } else if (packet.cmd === 'suback' && Number(packet.granted[0]) >= 0x80) {
      request.attempt.refusedMs = clock.now()
      clock.schedule(RETRY_MS, () => this.#subscribeMissing())
    } else {
      this.#granted(request.wanted)
    }
  }

  #granted(wanted: WantedSubscription): void {
    const { clock, history } = this.#world
    const { clientId, expirySeconds } = this.#profile
    const connection = this.#link.connection()
    if (connection === undefined) return
    const record: SubscriptionRecord = {
      clientId,
      filter: wanted.filter,
      group: wanted.group,
      qos: wanted.qos,
      barrier: wanted.barrier,
      isDurable: expirySeconds > 0,
      connection,
      subackMs: clock.now(),
      unsubscribeSentMs: undefined,
      unsubackMs: undefined,
      endedMs: undefined,
    }
    const key = fullFilter(wanted)
    this.#inForce.set(key, record)
    history.subscriptions.push(record)
    if (this.#wanted.has(key)) return
    this.#wanted.set(key, wanted)
    this.unwant(wanted)
  }

  #subscribeMissing(): void {
    if (this.#link.connection() === undefined) return
    const asked = new Set(Array.from(this.#requests.values(), ({ wanted }) => fullFilter(wanted)))
    const { clientId, version } = this.#profile
    for (const [key, wanted] of this.#wanted) {
      if (this.#inForce.has(key) || asked.has(key)) continue
      const { filter, qos, barrier } = wanted
      const messageId = this.#link.nextPacketId()
      const attempt = { clientId, filter, atMs: this.#world.clock.now(), refusedMs: undefined }
      this.#world.history.attempts.push(attempt)
      this.#requests.set(messageId, { wanted, sentMs: attempt.atMs, attempt })
      this.#link.send({
        cmd: 'subscribe',
        messageId,
        subscriptions: [{ topic: key, qos, nl: false, rap: false, rh: 0 }],
        ...(version === 5 && { properties: { userProperties: { 'suback-barrier': barrier } } }),
      })
    }
  }
}
