import { limits } from '../../src/core/limits.ts'
import type { Incarnation, NodeId } from '../../src/core/ids.ts'
import type { Clock } from '../../src/core/ports/clock.ts'
import type {
  PeerAddress,
  PeerChannel,
  PeerListener,
  PeerTransport,
} from '../../src/core/ports/peer-transport.ts'

const LATENCY_MS = 1
const RECONNECT_MS = 50

/**
 * A faultless network between brokers: frames arrive after 1 ms, links that both ends want come up after 1 ms, and a link
 * that one end closes is gone for the other 1 ms later.
 */
export class SimPeerNetwork {
  readonly #clock: Clock
  readonly #transports = new Map<string, SimPeerTransport>()
  #made = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A new process of node `nodeId`, with a peer id of its own; it takes part from its `start` to its `close`. */
  transport(nodeId: NodeId): SimPeerTransport {
    const peerId = `sim-peer-${++this.#made}`
    const transport = new SimPeerTransport(this.#clock, peerId, [`/sim/${nodeId}`], {
      linksWanted: () => this.#link(transport),
      closed: () => this.#transports.delete(peerId),
    })
    this.#transports.set(peerId, transport)
    return transport
  }

  #link(transport: SimPeerTransport): void {
    for (const peer of transport.members) {
      const other = this.#transports.get(peer.peerId)
      if (other === undefined || transport.ends.has(peer.peerId)) continue
      const back = other.members.find(member => transport.is(member))
      if (back === undefined || !other.is(peer) || other.ends.has(back.peerId)) continue
      const here = new SimLinkEnd(this.#clock, transport, peer)
      const there = new SimLinkEnd(this.#clock, other, back)
      here.attach(there)
      there.attach(here)
      this.#clock.schedule(LATENCY_MS, () => {
        here.goUp()
        there.goUp()
      })
    }
  }
}

/** One end of a link between two transports. */
class SimLinkEnd {
  readonly peer: PeerAddress
  readonly owner: SimPeerTransport
  readonly #clock: Clock
  readonly #queuedBytes = new Map<PeerChannel, number>()
  readonly #refused = new Set<PeerChannel>()
  #other: SimLinkEnd | undefined
  #state: 'opening' | 'up' | 'closed' = 'opening'

  constructor(clock: Clock, owner: SimPeerTransport, peer: PeerAddress) {
    this.#clock = clock
    this.owner = owner
    this.peer = peer
  }

  get isUp(): boolean {
    return this.#state === 'up'
  }

  attach(other: SimLinkEnd): void {
    this.#other = other
    this.owner.ends.set(this.peer.peerId, this)
  }

  goUp(): void {
    if (this.#state !== 'opening') return
    this.#state = 'up'
    for (const listener of this.owner.peerListeners) listener.onPeerUp(this.peer)
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
    this.#clock.schedule(LATENCY_MS, () => {
      this.#other?.receive(channel, copy)
      this.#sent(channel, copy.length)
    })
    return true
  }

  receive(channel: PeerChannel, frame: Uint8Array): void {
    if (this.#state !== 'up') return
    this.owner.frameListeners.get(channel)?.(this.peer, frame)
  }

  /** Closes this end now and the other after the latency; then both may link again. */
  close(): void {
    const other = this.#other
    if (!this.#shut() || other === undefined) return
    this.#clock.schedule(LATENCY_MS, () => {
      other.#shut()
      this.#clock.schedule(RECONNECT_MS, () => {
        for (const end of [this, other]) {
          if (end.owner.ends.get(end.peer.peerId) === end) end.owner.ends.delete(end.peer.peerId)
        }
        for (const end of [this, other]) end.owner.requestLinks()
      })
    })
  }

  #shut(): boolean {
    if (this.#state === 'closed') return false
    const wasUp = this.#state === 'up'
    this.#state = 'closed'
    if (wasUp && !this.owner.isClosed) {
      for (const listener of this.owner.peerListeners) listener.onPeerDown(this.peer)
    }
    return true
  }

  #sent(channel: PeerChannel, bytes: number): void {
    const queued = (this.#queuedBytes.get(channel) ?? 0) - bytes
    this.#queuedBytes.set(channel, queued)
    if (this.#state !== 'up' || queued >= limits.peerQueueBytesMax / 2) return
    if (!this.#refused.delete(channel)) return
    for (const listener of this.owner.drainListeners) listener(this.peer.nodeId, channel)
  }
}

/** One node's view of a `SimPeerNetwork`; the members beyond the port are for the network. */
export class SimPeerTransport implements PeerTransport {
  readonly self: { readonly peerId: string; readonly addresses: readonly string[] }
  readonly ends = new Map<string, SimLinkEnd>()
  readonly peerListeners: PeerListener[] = []
  readonly drainListeners: ((nodeId: NodeId, channel: PeerChannel) => void)[] = []
  readonly frameListeners = new Map<PeerChannel, (from: PeerAddress, frame: Uint8Array) => void>()
  readonly #clock: Clock
  readonly #network: { linksWanted(): void; closed(): void }
  #identity: { readonly nodeId: NodeId; readonly incarnation: Incarnation } | undefined
  #members: readonly PeerAddress[] = []
  #isClosed = false

  constructor(
    clock: Clock,
    peerId: string,
    addresses: readonly string[],
    network: { linksWanted(): void; closed(): void },
  ) {
    this.#clock = clock
    this.self = { peerId, addresses }
    this.#network = network
  }

  get members(): readonly PeerAddress[] {
    return this.#identity === undefined || this.#isClosed ? [] : this.#members
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Whether `member` is this process. */
  is(member: PeerAddress): boolean {
    return (
      member.peerId === this.self.peerId &&
      member.nodeId === this.#identity?.nodeId &&
      member.incarnation === this.#identity.incarnation
    )
  }

  requestLinks(): void {
    this.#network.linksWanted()
  }

  start(nodeId: NodeId, incarnation: Incarnation): void {
    if (this.#identity !== undefined) throw new Error('the peer transport was started twice')
    this.#identity = { nodeId, incarnation }
    this.requestLinks()
  }

  setMembers(members: readonly PeerAddress[]): void {
    this.#members = members
    for (const end of this.ends.values()) {
      const { peerId, incarnation } = end.peer
      if (!members.some(member => member.peerId === peerId && member.incarnation === incarnation)) end.close()
    }
    this.#clock.defer(() => this.requestLinks())
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
    this.#isClosed = true
    for (const end of this.ends.values()) end.close()
    this.#network.closed()
    return Promise.resolve()
  }

  #upEnd(nodeId: NodeId): SimLinkEnd | undefined {
    for (const end of this.ends.values()) if (end.isUp && end.peer.nodeId === nodeId) return end
    return undefined
  }
}
