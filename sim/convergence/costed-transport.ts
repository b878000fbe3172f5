import { decodeInterestFrame, type InterestFrame } from '../../gossip/interest-frame-codec.ts'
import type { Incarnation, NodeId } from '../../src/core/ids.ts'
import type {
  PeerAddress,
  PeerChannel,
  PeerListener,
  PeerTransport,
} from '../../src/core/ports/peer-transport.ts'
import type { CpuCore } from '../world/cpu-core.ts'

export interface FrameCosts {
  /** Of a small frame, at each end. */
  readonly frameMs: number
  readonly bytesPerMs: number
}

export interface FrameWatcher {
  /** A frame was taken for sending. */
  sent(to: NodeId, frame: InterestFrame | undefined, bytes: number): void
}

/** A peer transport whose frames, those of interest, take their sender's and their receiver's time, and are counted. */
export class CostedTransport implements PeerTransport {
  readonly #inner: PeerTransport
  readonly #core: CpuCore
  readonly #costs: FrameCosts
  readonly #watcher: FrameWatcher

  constructor(inner: PeerTransport, core: CpuCore, costs: FrameCosts, watcher: FrameWatcher) {
    this.#inner = inner
    this.#core = core
    this.#costs = costs
    this.#watcher = watcher
  }

  get self(): PeerTransport['self'] {
    return this.#inner.self
  }

  start(nodeId: NodeId, incarnation: Incarnation): void {
    this.#inner.start(nodeId, incarnation)
  }

  setMembers(members: readonly PeerAddress[]): void {
    this.#inner.setMembers(members)
  }

  isUp(nodeId: NodeId): boolean {
    return this.#inner.isUp(nodeId)
  }

  send(nodeId: NodeId, channel: PeerChannel, frame: Uint8Array): boolean {
    if (!this.#inner.isUp(nodeId)) return false
    this.#spend(frame.length)
    const isSent = this.#inner.send(nodeId, channel, frame)
    if (isSent) this.#watcher.sent(nodeId, decodeInterestFrame(frame), frame.length)
    return isSent
  }

  sendPiece(...piece: Parameters<PeerTransport['sendPiece']>): boolean {
    return this.#inner.sendPiece(...piece)
  }

  onFrame(channel: PeerChannel, listener: (from: PeerAddress, frame: Uint8Array) => void): void {
    this.#inner.onFrame(channel, (from, frame) => {
      this.#spend(frame.length)
      listener(from, frame)
    })
  }

  onDrain(listener: (nodeId: NodeId, channel: PeerChannel) => void): void {
    this.#inner.onDrain(listener)
  }

  addPeerListener(listener: PeerListener): void {
    this.#inner.addPeerListener(listener)
  }

  disconnect(nodeId: NodeId, reason: string): void {
    this.#inner.disconnect(nodeId, reason)
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  #spend(bytes: number): void {
    const { frameMs, bytesPerMs } = this.#costs
    this.#core.spend(Math.max(frameMs, bytes / bytesPerMs))
  }
}
