/**
 * The `session` channel between members: its one listener, who hands each frame to whoever registered for its kind.
 *
 * Control frames are JSON objects `{v: 1, type, …}`, so that they can be read in a capture; bulk frames begin with a byte of
 * their own that is not `{`. What frames say is their handlers' business (WIRE.md). Invariant: a frame nobody here
 * understands, or one more than a member may send, closes the link it came by, and reaches no handler.
 */
import type { Incarnation, NodeId } from '../src/core/ids.ts'
import { limits } from '../src/core/limits.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { PeerAddress, PeerTransport } from '../src/core/ports/peer-transport.ts'
import { RateLimit } from '../src/core/rate-limit.ts'
import { parseRecord } from './member-record.ts'

/** A control frame to be sent; the version is added. */
export interface SessionFrame {
  readonly type: string
  readonly [field: string]: unknown
}

/** Fields of a received control frame, not checked yet. False: they are not what the type demands. */
export type SessionFrameHandler = (from: PeerAddress, fields: Readonly<Record<string, unknown>>) => boolean

/**
 * The bytes behind the leading one, valid only during the call. False: they cannot be read. `asked`: this node had asked
 * for them, so that they are not laid to whoever sent them.
 */
export type SessionBytesHandler = (from: PeerAddress, bytes: Uint8Array) => boolean | 'asked'

/** What one incarnation may still send; it outlives links. */
interface Allowance {
  readonly incarnation: Incarnation
  readonly frames: RateLimit
  readonly bytes: RateLimit
}

const VERSION = 1
const OPENING_BRACE = 0x7b

export class SessionChannel {
  readonly #transport: PeerTransport
  readonly #clock: Clock
  readonly #frameHandlers = new Map<string, SessionFrameHandler>()
  readonly #bytesHandlers = new Map<number, SessionBytesHandler>()
  readonly #allowances = new Map<NodeId, Allowance>()
  #flooded = 0

  constructor(transport: PeerTransport, clock: Clock) {
    this.#transport = transport
    this.#clock = clock
    transport.onFrame('session', (from, frame) => this.#onFrame(from, frame))
  }

  /** Links closed because a member sent more than it may. */
  get flooded(): number {
    return this.#flooded
  }

  /** One handler per type, registered before the first frame can arrive. */
  onType(type: string, handler: SessionFrameHandler): void {
    if (this.#frameHandlers.has(type)) throw new Error(`session frames of type ${type} have two handlers`)
    this.#frameHandlers.set(type, handler)
  }

  /** As `onType`, for bulk frames with this leading byte. */
  onBytes(leadingByte: number, handler: SessionBytesHandler): void {
    const isTaken = this.#bytesHandlers.has(leadingByte) || leadingByte === OPENING_BRACE
    if (isTaken) throw new Error(`session frames that begin with ${leadingByte} have two handlers`)
    this.#bytesHandlers.set(leadingByte, handler)
  }

  /** False as `PeerTransport.send`. A frame over `limits.sessionFrameBytesMax` is a broken invariant. */
  send(nodeId: NodeId, frame: SessionFrame): boolean {
    const bytes = new TextEncoder().encode(JSON.stringify({ v: VERSION, ...frame }))
    if (bytes.length > limits.sessionFrameBytesMax) throw new Error(`a ${frame.type} frame is too long`)
    return this.#transport.send(nodeId, 'session', bytes)
  }

  /** A bulk frame, its leading byte included. */
  sendBytes(nodeId: NodeId, bytes: Uint8Array): boolean {
    return this.#transport.send(nodeId, 'session', bytes)
  }

  #onFrame(from: PeerAddress, frame: Uint8Array): void {
    const { frames, bytes } = this.#allowanceOf(from)
    if (!frames.take(1)) return this.#onFlood(from.nodeId, 'frames')
    const verdict = frame[0] === OPENING_BRACE ? this.#onControl(from, frame) : this.#onBulk(from, frame)
    if (verdict === false) {
      this.#transport.disconnect(from.nodeId, 'a session frame this version does not understand')
    } else if (verdict === true && !bytes.take(frame.length)) {
      this.#onFlood(from.nodeId, 'bytes')
    }
  }

  #allowanceOf({ nodeId, incarnation }: PeerAddress): Allowance {
    const known = this.#allowances.get(nodeId)
    if (known?.incarnation === incarnation) return known
    const allowance: Allowance = {
      incarnation,
      frames: new RateLimit(this.#clock, limits.sessionFramesPerSecondMax, limits.sessionFramesBurstMax),
      bytes: new RateLimit(this.#clock, limits.sessionBytesPerSecondMax, limits.sessionBytesBurstMax),
    }
    const [oldest] = this.#allowances.keys()
    if (oldest !== undefined && this.#allowances.size >= limits.clusterNodesMax)
      this.#allowances.delete(oldest)
    this.#allowances.set(nodeId, allowance)
    return allowance
  }

  #onFlood(nodeId: NodeId, what: string): void {
    this.#flooded++
    this.#transport.disconnect(nodeId, `it sent more ${what} about sessions than one member may`)
  }

  #onControl(from: PeerAddress, frame: Uint8Array): boolean {
    if (frame.length > limits.sessionFrameBytesMax) return false
    const fields = parseRecord(frame)
    if (fields?.['v'] !== VERSION || typeof fields['type'] !== 'string') return false
    return this.#frameHandlers.get(fields['type'])?.(from, fields) === true
  }

  #onBulk(from: PeerAddress, frame: Uint8Array): boolean | 'asked' {
    const [leadingByte] = frame
    if (leadingByte === undefined) return false
    return this.#bytesHandlers.get(leadingByte)?.(from, frame.subarray(1)) ?? false
  }
}

/** Whether a field of a frame is a whole number ≥ 0. */
export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
