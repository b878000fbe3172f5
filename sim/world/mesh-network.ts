/**
 * Links between simulated brokers, with everything a real network does to them: delay, blocked directions, links that fall
 * with whatever was under way, and both ends noticing at different times.
 *
 * As the libp2p transport does, ends beat every second and close after five of silence; a link that is gone is dialled again
 * with backoff. The promise of `PeerTransport` holds: between up and down, frames of a channel arrive in order and without
 * holes.
 */
import { limits } from '../../src/core/limits.ts'
import type { Incarnation, NodeId } from '../../src/core/ids.ts'
import type { Timer } from '../../src/core/ports/clock.ts'
import type {
  PeerAddress,
  PeerChannel,
  PeerListener,
  PeerTransport,
} from '../../src/core/ports/peer-transport.ts'
import type { Random } from '../../src/core/ports/random.ts'
import type { VirtualClock } from '../ports/virtual-clock.ts'
import type { NetworkConditions } from './network-conditions.ts'
import { Pipe } from './pipe.ts'
import type { ProcessClock } from './process-clock.ts'
import type { Trace } from './trace.ts'

const BEAT_MS = 1000
const SILENCE_MS = 5000
const DIAL_MIN_MS = 50
const DIAL_MAX_MS = 1000
const BEAT_BYTES = 8

export interface MeshContext {
  readonly clock: VirtualClock
  readonly conditions: NetworkConditions
  readonly random: Random
  readonly trace: Trace
}

export class MeshNetwork {
  readonly #context: MeshContext
  readonly #transports = new Map<string, MeshTransport>()
  #made = 0

  constructor(context: MeshContext) {
    this.#context = context
  }

  /** Of a new process of that node, with a peer id of its own. */
  transport(nodeId: NodeId, clock: ProcessClock): MeshTransport {
    const transport = new MeshTransport(`peer-${++this.#made}`, nodeId, clock, this, this.#context)
    this.#transports.set(transport.self.peerId, transport)
    return transport
  }

  /** Links `from` with `peer` if the network lets both through and both want it. */
  dial(from: MeshTransport, peer: PeerAddress): boolean {
    const { conditions } = this.#context
    const other = this.#transports.get(peer.peerId)
    if (other === undefined || other.isClosed || !other.is(peer)) return false
    const back = other.members.find(member => from.is(member))
    if (back === undefined) return false
    if (other.clock.isStopped || other.clock.isDead) return false
    if (conditions.isBlocked(from.nodeId, other.nodeId) || conditions.isBlocked(other.nodeId, from.nodeId))
      return false
    if (other.hasEndTo(from.self.peerId)) {
      // The other end has not noticed that the link before is gone.
      other.closeEndTo(from.self.peerId)
      return false
    }
    const here = new LinkEnd(from, peer, this.#context)
    const there = new LinkEnd(other, back, this.#context)
    here.join(there)
    there.join(here)
    return true
  }

  forget(transport: MeshTransport): void {
    this.#transports.delete(transport.self.peerId)
  }
}

class LinkEnd {
  readonly peer: PeerAddress
  readonly owner: MeshTransport
  readonly #context: MeshContext
  readonly #pipes = new Map<PeerChannel | 'control', Pipe>()
  readonly #queuedBytes = new Map<PeerChannel, number>()
  readonly #refused = new Set<PeerChannel>()
  #other!: LinkEnd
  #state: 'opening' | 'up' | 'closed' = 'opening'
  #heardMs: number
  #beats: Timer | undefined
  #early: (() => void)[] = []

  constructor(owner: MeshTransport, peer: PeerAddress, context: MeshContext) {
    this.owner = owner
    this.peer = peer
    this.#context = context
    this.#heardMs = owner.clock.now()
  }

  get isUp(): boolean {
    return this.#state === 'up'
  }

  /** The handshake takes a round trip from here. */
  join(other: LinkEnd): void {
    this.#other = other
    this.owner.attach(this)
    const { clock, conditions } = this.#context
    const delayMs = 2 * conditions.delayMs(this.owner.nodeId, this.peer.nodeId, 100)
    clock.schedule(delayMs, () => this.owner.clock.deliver(() => this.#goUp()))
  }

  send(channel: PeerChannel, frame: Uint8Array): boolean {
    const queued = this.#queuedBytes.get(channel) ?? 0
    if (this.#state !== 'up' || frame.length > limits.peerFrameBytesMax) return false
    if (queued + frame.length > limits.peerQueueBytesMax) {
      this.#refused.add(channel)
      return false
    }
    this.#queuedBytes.set(channel, queued + frame.length)
    const copy = new Uint8Array(frame)
    const { trace } = this.#context
    trace.detail(this.owner.nodeId, `→ ${this.peer.nodeId} ${channel} ${copy.length} B`)
    trace.bytes(copy)
    this.#pipe(channel).push(copy.length, () => {
      this.#other.arrive(() => this.#other.#receive(channel, copy))
      this.owner.clock.deliver(() => this.#sent(channel, copy.length))
    })
    return true
  }

  /** Runs in the process at this end, once it has seen the link come up. */
  arrive(task: () => void): void {
    this.owner.clock.deliver(() => {
      if (this.#state === 'opening') this.#early.push(task)
      else if (this.#state === 'up') task()
    })
  }

  /** Closes this end now; the other hears of it when the network lets it, or by silence. */
  close(): void {
    if (!this.#shut()) return
    this.#pipe('control').push(BEAT_BYTES, () => {
      this.#closePipes()
      this.#other.owner.clock.deliver(() => this.#other.hungUp())
    })
    for (const [channel, pipe] of this.#pipes) if (channel !== 'control') pipe.close()
  }

  hungUp(): void {
    if (this.#shut()) this.#closePipes()
  }

  #goUp(): void {
    if (this.#state !== 'opening' || this.owner.isClosed) return
    this.#state = 'up'
    this.#heardMs = this.owner.clock.now()
    this.#context.trace.detail(this.owner.nodeId, `link with ${this.peer.nodeId} is up`)
    this.#beats = this.owner.clock.repeat(BEAT_MS, () => this.#beat())
    for (const listener of this.owner.peerListeners) listener.onPeerUp(this.peer)
    for (const task of this.#early.splice(0)) task()
  }

  #beat(): void {
    if (this.#state !== 'up') return
    if (this.owner.clock.now() - this.#heardMs > SILENCE_MS) {
      this.close()
      return
    }
    this.#pipe('control').push(BEAT_BYTES, () => this.#other.arrive(() => this.#other.#heard()))
  }

  #heard(): void {
    this.#heardMs = this.owner.clock.now()
  }

  #receive(channel: PeerChannel, frame: Uint8Array): void {
    this.#heard()
    if (this.#state !== 'up') return
    this.owner.frameListeners.get(channel)?.(this.peer, frame)
  }

  #sent(channel: PeerChannel, bytes: number): void {
    const queued = (this.#queuedBytes.get(channel) ?? 0) - bytes
    this.#queuedBytes.set(channel, queued)
    if (this.#state !== 'up' || queued >= limits.peerQueueBytesMax / 2) return
    if (!this.#refused.delete(channel)) return
    for (const listener of this.owner.drainListeners) listener(this.peer.nodeId, channel)
  }

  #shut(): boolean {
    if (this.#state === 'closed') return false
    const wasUp = this.#state === 'up'
    this.#state = 'closed'
    this.#beats?.cancel()
    this.#early = []
    this.owner.detach(this)
    if (wasUp && !this.owner.isClosed) {
      this.#context.trace.detail(this.owner.nodeId, `link with ${this.peer.nodeId} is down`)
      for (const listener of this.owner.peerListeners) listener.onPeerDown(this.peer)
    }
    return true
  }

  #pipe(channel: PeerChannel | 'control'): Pipe {
    const found = this.#pipes.get(channel)
    if (found !== undefined) return found
    const { clock, conditions } = this.#context
    const pipe = new Pipe(clock, conditions, this.owner.nodeId, this.peer.nodeId)
    this.#pipes.set(channel, pipe)
    return pipe
  }

  #closePipes(): void {
    for (const pipe of this.#pipes.values()) pipe.close()
  }
}

export class MeshTransport implements PeerTransport {
  readonly self: { readonly peerId: string; readonly addresses: readonly string[] }
  readonly nodeId: NodeId
  readonly clock: ProcessClock
  readonly peerListeners: PeerListener[] = []
  readonly drainListeners: ((nodeId: NodeId, channel: PeerChannel) => void)[] = []
  readonly frameListeners = new Map<PeerChannel, (from: PeerAddress, frame: Uint8Array) => void>()
  readonly #network: MeshNetwork
  readonly #random: Random
  readonly #ends = new Map<string, LinkEnd>()
  #identity: { readonly nodeId: NodeId; readonly incarnation: Incarnation } | undefined
  #members: readonly PeerAddress[] = []
  #dialTimer: Timer | undefined
  #isClosed = false

  constructor(
    peerId: string,
    nodeId: NodeId,
    clock: ProcessClock,
    network: MeshNetwork,
    { random }: MeshContext,
  ) {
    this.self = { peerId, addresses: [`/sim/${nodeId}`] }
    this.nodeId = nodeId
    this.clock = clock
    this.#network = network
    this.#random = random
  }

  get members(): readonly PeerAddress[] {
    return this.#identity === undefined || this.#isClosed ? [] : this.#members
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  is(member: PeerAddress): boolean {
    return (
      member.peerId === this.self.peerId &&
      member.nodeId === this.#identity?.nodeId &&
      member.incarnation === this.#identity.incarnation
    )
  }

  attach(end: LinkEnd): void {
    this.#ends.set(end.peer.peerId, end)
  }

  detach(end: LinkEnd): void {
    if (this.#ends.get(end.peer.peerId) === end) this.#ends.delete(end.peer.peerId)
    this.#dialSoon()
  }

  hasEndTo(peerId: string): boolean {
    return this.#ends.has(peerId)
  }

  closeEndTo(peerId: string): void {
    this.clock.deliver(() => this.#ends.get(peerId)?.close())
  }

  start(nodeId: NodeId, incarnation: Incarnation): void {
    if (this.#identity !== undefined) throw new Error('the peer transport was started twice')
    this.#identity = { nodeId, incarnation }
    this.#dialSoon()
  }

  setMembers(members: readonly PeerAddress[]): void {
    this.#members = members
    for (const end of [...this.#ends.values()]) {
      const { peerId, incarnation } = end.peer
      if (!members.some(member => member.peerId === peerId && member.incarnation === incarnation)) end.close()
    }
    this.#dialSoon()
  }

  isUp(nodeId: NodeId): boolean {
    return this.#upEnd(nodeId) !== undefined
  }

  send(nodeId: NodeId, channel: PeerChannel, frame: Uint8Array): boolean {
    return this.#upEnd(nodeId)?.send(channel, frame) === true
  }

  /** A frame for every piece. */
  sendPiece(
    nodeId: NodeId,
    channel: PeerChannel,
    head: Uint8Array,
    source: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    return this.send(nodeId, channel, Buffer.concat([head, source.subarray(start, end)]))
  }

  onFrame(channel: PeerChannel, listener: (from: PeerAddress, frame: Uint8Array) => void): void {
    this.frameListeners.set(channel, listener)
  }

  onDrain(listener: (nodeId: NodeId, channel: PeerChannel) => void): void {
    this.drainListeners.push(listener)
  }

  addPeerListener(listener: PeerListener): void {
    this.peerListeners.push(listener)
  }

  disconnect(nodeId: NodeId): void {
    this.#upEnd(nodeId)?.close()
  }

  close(): Promise<void> {
    this.crash()
    return Promise.resolve()
  }

  /** The kernel closes the links of a process that died. */
  crash(): void {
    this.#isClosed = true
    this.#dialTimer?.cancel()
    for (const end of [...this.#ends.values()]) end.close()
    this.#network.forget(this)
  }

  #upEnd(nodeId: NodeId): LinkEnd | undefined {
    for (const end of this.#ends.values()) if (end.isUp && end.peer.nodeId === nodeId) return end
    return undefined
  }

  #dialSoon(): void {
    if (this.#isClosed || this.#dialTimer !== undefined) return
    const delayMs = DIAL_MIN_MS + this.#random.fraction() * (DIAL_MAX_MS - DIAL_MIN_MS) * 0.3
    this.#dialTimer = this.clock.schedule(delayMs, () => {
      this.#dialTimer = undefined
      let isMissing = false
      for (const peer of this.members) {
        if (this.#ends.has(peer.peerId)) continue
        if (!this.#network.dial(this, peer)) isMissing = true
      }
      if (isMissing) this.#dialSoon()
    })
  }
}
