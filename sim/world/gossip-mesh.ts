/**
 * Gossipsub as a model: each member pushes what is new to its neighbours in a random mesh and may tell some others, once
 * per heartbeat, what it has had lately, so that they can ask for what they missed.
 *
 * It is weaker than gossipsub in what it promises and not in what it costs. Weaker: a copy that meets loss or a blocked direction
 * is gone, where gossipsub's streams send again; copies on one link overtake each other; some are lost for no reason at all.
 * Left out: scores, backoff, IDONTWANT (for messages above 512 B), and the messages by which the mesh is made. Invariant: a member
 * hears each message at most once, and never its own.
 */
import { limits } from '../../src/core/limits.ts'
import type { NodeId } from '../../src/core/ids.ts'
import type { Gossip, GossipListener } from '../../src/core/ports/gossip.ts'
import type { Random } from '../../src/core/ports/random.ts'
import type { VirtualClock } from '../ports/virtual-clock.ts'
import type { CoreClock } from './cpu-core.ts'
import type { NetworkConditions } from './network-conditions.ts'

/** Copies lost for no reason at all. */
const LOST_SHARE = 0.001
/** Heartbeats for which a message is told to others, and kept for who asks. */
const HISTORY_TOLD = 3
const HISTORY_KEPT = 5
/** Wire sizes beside the payload: frame, topic and fields of one message; one message id in a list of them. */
const ENVELOPE_BYTES = 60
const MESSAGE_ID_BYTES = 22

export interface GossipMeshOptions {
  /** Neighbours each member wants, gossipsub's D: it takes more below two thirds of it, and lets go above one and a half of it. */
  readonly degree: number
  /** How many others each tells, once per heartbeat, of what it has had lately, gossipsub's Dlazy. */
  readonly lazy: number
  readonly heartbeatMs: number
  /** Whether a message's own publisher sends it to everybody it is connected to, not to its neighbours alone. */
  readonly isFlooding: boolean
  /** Share of copies the network loses. */
  readonly lossShare: number
  readonly sendMs: number
  readonly receiveMs: number
  /** What the receiver does besides with a message it did not know. */
  readonly handleMs: number
  /** What a copy needs beyond the network and the work at both ends, ms; drawn for each. */
  readonly overheadMs: () => number
  /** Whether the two have a connection. */
  readonly isLinked: (a: NodeId, b: NodeId) => boolean
}

/** The network, as a message knows it that is not sent again. `delayMs` counts from now, the sender's work under way included. */
export type GossipConditions = Pick<NetworkConditions, 'isBlocked' | 'delayMs'>

export interface GossipMeshTraffic {
  /** Copies of messages sent, those asked for included. */
  copies: number
  /** Copies that arrived where the message was known already. */
  duplicates: number
  /** Messages that tell what there is, and that ask for it. */
  told: number
  asked: number
  bytes: number
}

interface Message {
  readonly number: number
  /** Peer id of who published it. */
  readonly publisher: string
  readonly payload: Uint8Array
}

export class GossipMesh {
  readonly traffic: GossipMeshTraffic = { copies: 0, duplicates: 0, told: 0, asked: 0, bytes: 0 }
  readonly options: GossipMeshOptions
  readonly #clock: VirtualClock
  readonly #conditions: GossipConditions
  readonly #random: Random
  readonly #members: GossipMeshMember[] = []
  #messages = 0

  constructor(clock: VirtualClock, conditions: GossipConditions, random: Random, options: GossipMeshOptions) {
    this.#clock = clock
    this.#conditions = conditions
    this.#random = random
    this.options = options
  }

  /** All are to be made before time passes. Heartbeats begin at once, at a random moment of their interval. */
  member(nodeId: NodeId, peerId: string, clock: CoreClock): GossipMeshMember {
    const member = new GossipMeshMember(nodeId, peerId, clock, this)
    this.#members.push(member)
    const { heartbeatMs } = this.options
    clock.schedule(this.#random.fraction() * heartbeatMs, () => {
      member.beat()
      clock.repeat(heartbeatMs, () => member.beat())
    })
    return member
  }

  message(publisher: string, payload: Uint8Array): Message {
    return { number: ++this.#messages, publisher, payload: new Uint8Array(payload) }
  }

  /** Those it is connected to. */
  reachableFrom(member: GossipMeshMember): GossipMeshMember[] {
    const { isLinked } = this.options
    return this.#members.filter(other => other !== member && isLinked(member.nodeId, other.nodeId))
  }

  /** So many of them, at random; all when there are fewer. */
  someOf(members: readonly GossipMeshMember[], count: number): GossipMeshMember[] {
    const left = [...members]
    const taken: GossipMeshMember[] = []
    while (taken.length < count && left.length > 0) {
      const [one] = left.splice(this.#random.uint32() % left.length, 1)
      if (one !== undefined) taken.push(one)
    }
    return taken
  }

  /** Takes the sender's time for one remote call, and the receiver's when it has arrived, if it does. */
  send(from: GossipMeshMember, to: GossipMeshMember, bytes: number, arrived: () => void): void {
    const { sendMs, receiveMs, lossShare, overheadMs } = this.options
    from.clock.core.spend(sendMs)
    this.traffic.bytes += bytes
    if (this.#random.fraction() < LOST_SHARE || this.#random.fraction() < lossShare) return
    if (this.#conditions.isBlocked(from.nodeId, to.nodeId)) return
    const delayMs = this.#conditions.delayMs(from.nodeId, to.nodeId, bytes) + overheadMs()
    this.#clock.schedule(delayMs, () => {
      if (this.#conditions.isBlocked(from.nodeId, to.nodeId)) return
      to.clock.core.run(receiveMs, arrived)
    })
  }
}

export class GossipMeshMember implements Gossip {
  readonly nodeId: NodeId
  readonly peerId: string
  readonly clock: CoreClock
  readonly neighbours = new Set<GossipMeshMember>()
  readonly #mesh: GossipMesh
  readonly #seen = new Set<number>()
  /** By heartbeat, the present one first. */
  #history = [new Map<number, Message>()]
  #listener: GossipListener | undefined

  constructor(nodeId: NodeId, peerId: string, clock: CoreClock, mesh: GossipMesh) {
    this.nodeId = nodeId
    this.peerId = peerId
    this.clock = clock
    this.#mesh = mesh
  }

  publish(payload: Uint8Array): boolean {
    if (payload.length > limits.gossipMessageBytesMax) return false
    const message = this.#mesh.message(this.peerId, payload)
    this.#remember(message)
    const { isFlooding, degree } = this.#mesh.options
    const reachable = this.#mesh.reachableFrom(this)
    if (isFlooding) for (const member of reachable) this.#push(member, message)
    else {
      const others = reachable.filter(member => !this.neighbours.has(member))
      const missing = Math.max(0, degree - this.neighbours.size)
      for (const member of [...this.neighbours, ...this.#mesh.someOf(others, missing)])
        this.#push(member, message)
    }
    return true
  }

  onMessage(listener: GossipListener): void {
    this.#listener = listener
  }

  /** Mends the mesh, tells some who are not in it what there was lately, and forgets what is old. */
  beat(): void {
    const { degree, lazy } = this.#mesh.options
    const reachable = this.#mesh.reachableFrom(this)
    const connected = new Set(reachable)
    for (const member of [...this.neighbours]) if (!connected.has(member)) this.#part(member)
    const others = reachable.filter(member => !this.neighbours.has(member))
    if (this.neighbours.size < Math.floor((degree * 2) / 3)) {
      for (const member of this.#mesh.someOf(others, degree - this.neighbours.size)) this.#join(member)
    } else if (this.neighbours.size > degree * 1.5) {
      const surplus = this.#mesh.someOf([...this.neighbours], this.neighbours.size - degree)
      for (const member of surplus) this.#part(member)
    }
    const recent = this.#history.slice(0, HISTORY_TOLD).flatMap(window => [...window.keys()])
    if (recent.length > 0) {
      for (const member of this.#mesh.someOf(others, lazy))
        if (!this.neighbours.has(member)) this.#tell(member, recent)
    }
    this.#history = [new Map<number, Message>(), ...this.#history].slice(0, HISTORY_KEPT)
  }

  #join(member: GossipMeshMember): void {
    this.neighbours.add(member)
    member.neighbours.add(this)
  }

  #part(member: GossipMeshMember): void {
    this.neighbours.delete(member)
    member.neighbours.delete(this)
  }

  #push(to: GossipMeshMember, message: Message): void {
    this.#mesh.traffic.copies++
    this.#mesh.send(this, to, ENVELOPE_BYTES + message.payload.length, () => to.#hear(this, message))
  }

  #hear(from: GossipMeshMember, message: Message): void {
    if (this.#seen.has(message.number)) {
      this.#mesh.traffic.duplicates++
      return
    }
    this.#remember(message)
    this.clock.core.spend(this.#mesh.options.handleMs)
    this.#listener?.(new Uint8Array(message.payload), message.publisher)
    for (const member of this.neighbours) if (member !== from) this.#push(member, message)
  }

  #tell(to: GossipMeshMember, numbers: readonly number[]): void {
    this.#mesh.traffic.told++
    this.#mesh.send(this, to, ENVELOPE_BYTES + numbers.length * MESSAGE_ID_BYTES, () => {
      const missing = numbers.filter(number => !to.#seen.has(number))
      if (missing.length > 0) to.#ask(this, missing)
    })
  }

  #ask(from: GossipMeshMember, numbers: readonly number[]): void {
    this.#mesh.traffic.asked++
    this.#mesh.send(this, from, ENVELOPE_BYTES + numbers.length * MESSAGE_ID_BYTES, () => {
      for (const number of numbers) {
        const message = from.#history.find(window => window.has(number))?.get(number)
        if (message !== undefined) from.#push(this, message)
      }
    })
  }

  #remember(message: Message): void {
    this.#seen.add(message.number)
    this.#history[0]?.set(message.number, message)
  }
}
