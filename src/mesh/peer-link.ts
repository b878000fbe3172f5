import type { PeerAddress, PeerChannel } from '../core/ports/peer-transport.ts'
import type { ChannelStream } from './channel-stream.ts'
import { encodeReady, decodeHello, isReady, peerChannels } from './hello-codec.ts'
import type { Hello } from './hello-codec.ts'

export interface PeerLinkListener {
  onUp(link: PeerLink): void
  onFrame(link: PeerLink, channel: PeerChannel, frame: Uint8Array): void
  onDrain(link: PeerLink, channel: PeerChannel): void
  /** Once. `wasUp` says whether `onUp` came before. */
  onDown(link: PeerLink, reason: string, wasUp: boolean): void
}

export interface PeerLinkOptions {
  readonly id: string
  readonly peer: PeerAddress
  /** Whether this end opened the streams. */
  readonly isOpener: boolean
  /** This node's hello for this link, encoded. */
  readonly hello: Uint8Array
  /** What is wrong with the peer's hello, or undefined. */
  verify(hello: Hello): string | undefined
  readonly listener: PeerLinkListener
}

/** Frames of the channels are never empty. */
const HEARTBEAT = new Uint8Array(0)
/** The one that carries least. */
const HEARTBEAT_CHANNEL = 'session'

type Phase = 'hello' | 'ready' | 'open'

/**
 * One life of the connection to a peer: a stream per channel, each carrying both directions, all opened by the same
 * end. The opener sends a hello on every stream, the other end answers with its own once it has all of them, and the
 * opener goes up with the last answer, sending ready first on every stream; the other end goes up with the first ready.
 *
 * So each end is up before the other's first frame can arrive, and frames sent when up will be read. A stream that ends
 * takes the others with it.
 */
export class PeerLink {
  readonly id: string
  readonly peer: PeerAddress
  #state: 'handshaking' | 'up' | 'closed' = 'handshaking'
  readonly #options: PeerLinkOptions
  readonly #streams = new Map<PeerChannel, ChannelStream>()
  #isHeard = true
  #silentBeats = 0
  /** Whether anything was sent since the last beat: then it needs none. */
  #hasSpoken = false
  #forward: ChannelStream | undefined // of the map, without a look-up per frame
  #greeted = 0

  constructor(options: PeerLinkOptions) {
    this.#options = options
    this.id = options.id
    this.peer = options.peer
  }

  get isUp(): boolean {
    return this.#state === 'up'
  }

  /** Takes a channel's stream; at the end that did not open it, after its hello was read and found right. */
  add(channel: PeerChannel, stream: ChannelStream): void {
    if (this.#state === 'closed' || this.#streams.has(channel)) {
      stream.close('the link has no place for this stream')
      return
    }
    this.#streams.set(channel, stream)
    if (channel === 'forward') this.#forward = stream
    const { isOpener, hello } = this.#options
    let phase: Phase = isOpener ? 'hello' : 'ready'
    stream.relisten({
      onFrame: frame => {
        if (phase === 'open') this.#onFrame(channel, frame)
        else if (phase === 'hello') phase = this.#onHello(frame)
        else phase = this.#onReady(frame)
      },
      onDrain: () => this.#options.listener.onDrain(this, channel),
      onClose: reason => this.close(reason),
    })
    if (isOpener) sendNow(stream, hello)
    else if (this.#streams.size === peerChannels.length) this.#broadcast(hello)
  }

  /** Queues a copy; false when not up or over the channel's limit. */
  send(channel: PeerChannel, frame: Uint8Array): boolean {
    if (this.#state !== 'up') return false
    const stream = channel === 'forward' ? this.#forward : this.#streams.get(channel)
    return stream !== undefined && stream.writer.push(frame)
  }

  /** As `FrameWriter.pushPiece`. */
  sendPiece(channel: PeerChannel, head: Uint8Array, source: Uint8Array, start: number, end: number): boolean {
    if (this.#state !== 'up') return false
    const stream = channel === 'forward' ? this.#forward : this.#streams.get(channel)
    return stream !== undefined && stream.writer.pushPiece(head, source, start, end)
  }

  flush(): void {
    if (this.#state !== 'up') return
    this.#hasSpoken = true
    for (const stream of this.#streams.values()) stream.writer.flush()
  }

  /**
   * Called at a steady pace while there are links: says that this end lives, and closes a link whose other end said nothing for
   * `silentBeatsMax` calls. Counted in calls and not in time, so that a process that stood still hears first what came meanwhile.
   */
  beat(silentBeatsMax: number): void {
    if (this.#state !== 'up') return
    this.#silentBeats = this.#isHeard ? 0 : this.#silentBeats + 1
    this.#isHeard = false
    if (this.#silentBeats >= silentBeatsMax) {
      this.close('it has been silent for too long')
      return
    }
    const stream = this.#streams.get(HEARTBEAT_CHANNEL)
    if (!this.#hasSpoken && stream !== undefined) sendNow(stream, HEARTBEAT)
    this.#hasSpoken = false
  }

  close(reason: string): void {
    if (this.#state === 'closed') return
    const wasUp = this.#state === 'up'
    this.#state = 'closed'
    for (const stream of this.#streams.values()) stream.close(reason)
    this.#options.listener.onDown(this, reason, wasUp)
  }

  #onFrame(channel: PeerChannel, frame: Uint8Array): void {
    this.#isHeard = true
    if (frame.length === 0) return // a heartbeat
    if (this.#state === 'up') this.#options.listener.onFrame(this, channel, frame)
    else this.close('it sent a frame before the link was up')
  }

  #onHello(frame: Uint8Array): Phase {
    const hello = decodeHello(frame)
    const fault = hello === undefined ? 'it did not begin with a hello' : this.#options.verify(hello)
    if (fault !== undefined) {
      this.close(fault)
    } else if (++this.#greeted === peerChannels.length) {
      this.#broadcast(encodeReady())
      this.#goUp()
    }
    return 'open'
  }

  #onReady(frame: Uint8Array): Phase {
    if (!isReady(frame)) this.close('it sent a frame before it was ready')
    else if (this.#state === 'handshaking') this.#goUp()
    return 'open'
  }

  #goUp(): void {
    this.#state = 'up'
    this.#options.listener.onUp(this)
  }

  #broadcast(frame: Uint8Array): void {
    for (const stream of this.#streams.values()) sendNow(stream, frame)
  }
}

function sendNow(stream: ChannelStream, frame: Uint8Array): void {
  stream.writer.push(frame)
  stream.writer.flush()
}
