import type { Stream } from '@libp2p/interface'
import { limits } from '../core/limits.ts'
import type { Incarnation, NodeId } from '../core/ids.ts'
import type { Clock, Timer } from '../core/ports/clock.ts'
import type { Logger } from '../core/ports/logger.ts'
import type { PeerAddress, PeerChannel, PeerListener, PeerTransport } from '../core/ports/peer-transport.ts'
import type { Random } from '../core/ports/random.ts'
import { ChannelStream } from './channel-stream.ts'
import { channelProtocol, decodeHello, peerChannels } from './hello-codec.ts'
import type { MeshHost } from './mesh-host.ts'
import { HANDSHAKE_TIMEOUT_MS, PeerConnector } from './peer-connector.ts'
import type { HelloFault, MeshStats } from './peer-connector.ts'
import type { PeerLink, PeerLinkListener } from './peer-link.ts'

export interface Libp2pPeerTransportComponents {
  readonly host: MeshHost
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** A peer that cannot be heard is taken for gone after five heartbeats; its lease tells the same, later. */
const HEARTBEAT_MS = 1000
const SILENT_BEATS_MAX = 5

type FrameListener = (from: PeerAddress, frame: Uint8Array) => void

/** `PeerTransport` over a mesh host, which it does not own: `close` ends the links and leaves the host to its maker. */
export class Libp2pPeerTransport implements PeerTransport {
  readonly stats: MeshStats = { dials: 0, dialsFailed: 0, linksLost: 0 }
  readonly #components: Libp2pPeerTransportComponents
  readonly #cluster: string
  readonly #connectors = new Map<NodeId, PeerConnector>()
  readonly #frameListeners = new Map<PeerChannel, FrameListener>()
  #onForward: FrameListener | undefined // of the map, without a look-up per frame
  readonly #peerListeners: PeerListener[] = []
  readonly #drainListeners: ((nodeId: NodeId, channel: PeerChannel) => void)[] = []
  readonly #linkListener: PeerLinkListener
  readonly #dirty = new Set<PeerLink>()
  #lastDirty: PeerLink | undefined
  /** Peer id → what was last found wrong with its hello, so that a redialling stranger is one line in the log. */
  readonly #refused = new Map<string, string>()
  #self: { readonly nodeId: NodeId; readonly incarnation: Incarnation } | undefined
  #members: readonly PeerAddress[] = []
  readonly #heartbeat: Timer
  #closed = false

  private constructor(components: Libp2pPeerTransportComponents, cluster: string) {
    this.#components = components
    this.#cluster = cluster
    this.#heartbeat = components.clock.repeat(HEARTBEAT_MS, () => {
      for (const { link } of [...this.#connectors.values()]) link?.beat(SILENT_BEATS_MAX)
    })
    this.#linkListener = {
      onUp: link => this.#onUp(link),
      onFrame: (link, channel, frame) => this.#onFrame(link, channel, frame),
      onDrain: (link, channel) => {
        for (const listener of this.#drainListeners) listener(link.peer.nodeId, channel)
      },
      onDown: (link, _reason, wasUp) => this.#onDown(link, wasUp),
    }
  }

  /** Registers with the host; one transport per host. */
  static async create(
    components: Libp2pPeerTransportComponents,
    options: { readonly cluster: string },
  ): Promise<Libp2pPeerTransport> {
    const transport = new Libp2pPeerTransport(components, options.cluster)
    const { host } = components
    host.onConnection(peerId => transport.#onConnection(peerId))
    for (const channel of peerChannels) {
      await host.handle(channelProtocol(channel), (stream, peerId) =>
        transport.#onStream(channel, stream, peerId),
      )
    }
    return transport
  }

  get self(): { readonly peerId: string; readonly addresses: readonly string[] } {
    const { peerId, addresses } = this.#components.host
    return { peerId, addresses }
  }

  start(nodeId: NodeId, incarnation: Incarnation): void {
    if (this.#self !== undefined) throw new Error('the peer transport was started twice')
    this.#self = { nodeId, incarnation }
    this.setMembers(this.#members)
  }

  setMembers(members: readonly PeerAddress[]): void {
    this.#members = members
    if (this.#self === undefined || this.#closed) return
    const wanted = new Map(members.map(member => [member.nodeId, member]))
    for (const [nodeId, connector] of this.#connectors) {
      const member = wanted.get(nodeId)
      if (member !== undefined && isSameLife(member, connector.peer)) continue
      this.#connectors.delete(nodeId)
      connector.stop(member === undefined ? 'it is no longer a member' : 'it has a new incarnation')
    }
    this.#components.host.admit(members)
    this.#refused.clear()
    for (const member of members) {
      if (this.#connectors.has(member.nodeId)) continue
      const { host, clock, random, logger } = this.#components
      const { stats } = this
      const context = { stats, host, clock, random, logger, cluster: this.#cluster, self: this.#self }
      this.#connectors.set(
        member.nodeId,
        new PeerConnector(member, { ...context, listener: this.#linkListener }),
      )
    }
  }

  isUp(nodeId: NodeId): boolean {
    return this.#connectors.get(nodeId)?.link?.isUp === true
  }

  send(nodeId: NodeId, channel: PeerChannel, frame: Uint8Array): boolean {
    const link = this.#connectors.get(nodeId)?.link
    if (link === undefined) return false
    if (frame.length > limits.peerFrameBytesMax) {
      this.#components.logger.error('a frame over the limit was not sent: a fault of this program', {
        peer: nodeId,
        channel,
        bytes: frame.length,
      })
      return false
    }
    if (!link.send(channel, frame)) return false
    if (link !== this.#lastDirty) this.#markDirty(link)
    return true
  }

  sendPiece(
    nodeId: NodeId,
    channel: PeerChannel,
    head: Uint8Array,
    source: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    const link = this.#connectors.get(nodeId)?.link
    if (link?.sendPiece(channel, head, source, start, end) !== true) return false
    if (link !== this.#lastDirty) this.#markDirty(link)
    return true
  }

  onFrame(channel: PeerChannel, listener: FrameListener): void {
    this.#frameListeners.set(channel, listener)
    if (channel === 'forward') this.#onForward = listener
  }

  onDrain(listener: (nodeId: NodeId, channel: PeerChannel) => void): void {
    this.#drainListeners.push(listener)
  }

  addPeerListener(listener: PeerListener): void {
    this.#peerListeners.push(listener)
  }

  disconnect(nodeId: NodeId, reason: string): void {
    const link = this.#connectors.get(nodeId)?.link
    if (link === undefined) return
    this.#components.logger.warn('closing the link to a peer', { peer: nodeId, reason })
    link.close(reason)
  }

  close(): Promise<void> {
    this.#closed = true
    this.#heartbeat.cancel()
    for (const connector of this.#connectors.values()) connector.stop('this node is stopping')
    this.#connectors.clear()
    return Promise.resolve()
  }

  #markDirty(link: PeerLink): void {
    this.#lastDirty = link
    if (this.#dirty.size === 0) this.#components.clock.defer(() => this.#flush())
    this.#dirty.add(link)
  }

  #flush(): void {
    const links = [...this.#dirty]
    this.#dirty.clear()
    this.#lastDirty = undefined
    for (const link of links) link.flush()
  }

  #onUp(link: PeerLink): void {
    this.#refused.delete(link.peer.peerId)
    for (const listener of this.#peerListeners) listener.onPeerUp(link.peer)
  }

  #onDown(link: PeerLink, wasUp: boolean): void {
    if (!wasUp || this.#closed) return
    for (const listener of this.#peerListeners) listener.onPeerDown(link.peer)
  }

  #onFrame(link: PeerLink, channel: PeerChannel, frame: Uint8Array): void {
    if (channel === 'forward') this.#onForward?.(link.peer, frame)
    else this.#frameListeners.get(channel)?.(link.peer, frame)
  }

  #onConnection(peerId: string): void {
    for (const connector of this.#connectors.values()) {
      if (connector.peer.peerId === peerId) connector.connected()
    }
  }

  /** A stream opened by a peer: its hello says whose link it belongs to. */
  #onStream(channel: PeerChannel, stream: Stream, peerId: string): void {
    const timeout = this.#components.clock.schedule(HANDSHAKE_TIMEOUT_MS, () =>
      channelStream.close('it sent no hello in time'),
    )
    const channelStream = new ChannelStream(stream, {
      onFrame: frame => {
        timeout.cancel()
        const fault = this.#onHello(channel, channelStream, peerId, frame)
        if (fault === undefined) return
        this.#logRefusal(peerId, fault)
        channelStream.close(fault.reason)
      },
      onDrain: () => undefined,
      onClose: () => timeout.cancel(),
    })
  }

  #onHello(
    channel: PeerChannel,
    stream: ChannelStream,
    peerId: string,
    frame: Uint8Array,
  ): HelloFault | undefined {
    if (this.#self === undefined || this.#closed) {
      return { reason: 'this node does not take part yet', isTransient: true }
    }
    const hello = decodeHello(frame)
    if (hello === undefined) return { reason: 'it did not begin with a hello', isTransient: false }
    for (const connector of this.#connectors.values()) {
      if (connector.peer.peerId === peerId) return connector.accept(channel, stream, hello)
    }
    return { reason: `it calls itself ${hello.nodeId} and is not a member`, isTransient: true }
  }

  #logRefusal(peerId: string, { reason, isTransient }: HelloFault): void {
    const { logger } = this.#components
    const fields = { peerId, reason }
    if (isTransient || this.#refused.get(peerId) === reason) logger.debug('refused a link', fields)
    else logger.warn('refused a link', fields)
    this.#refused.set(peerId, reason)
  }
}

function isSameLife(a: PeerAddress, b: PeerAddress): boolean {
  return (
    a.incarnation === b.incarnation &&
    a.peerId === b.peerId &&
    a.addresses.length === b.addresses.length &&
    a.addresses.every((address, i) => address === b.addresses[i])
  )
}
