import { errorMessage } from '../core/errors.ts'
import type { Incarnation, NodeId } from '../core/ids.ts'
import type { Clock, Timer } from '../core/ports/clock.ts'
import type { Logger } from '../core/ports/logger.ts'
import type { PeerAddress, PeerChannel } from '../core/ports/peer-transport.ts'
import type { Random } from '../core/ports/random.ts'
import { backoffMs } from './backoff.ts'
import { ChannelStream } from './channel-stream.ts'
import { channelProtocol, encodeHello, LINK_WIRE_VERSION, peerChannels, toHex } from './hello-codec.ts'
import type { Hello } from './hello-codec.ts'
import type { MeshHost } from './mesh-host.ts'
import { PeerLink } from './peer-link.ts'
import type { PeerLinkListener } from './peer-link.ts'

/** A link that is not up by then is given up, at either end. Twenty nodes starting in one process take half of it. */
export const HANDSHAKE_TIMEOUT_MS = 10_000
/** How long, at least, the end that does not open links leaves dialling to the other. */
const DIAL_PATIENCE_MS = 3_000
/** A link that held this long is not counted as a failure when it ends. */
const SOUND_LINK_MS = 2_000
/** Failures in a row after which the operator is told. */
const FAILURES_TOLD = 5

/** Counts since the transport was made. */
export interface MeshStats {
  /** Attempts to open a link or a connection. */
  dials: number
  dialsFailed: number
  /** Links that were up and ended, other than by this node's will. */
  linksLost: number
}

export interface PeerConnectorContext {
  readonly stats: MeshStats
  readonly host: MeshHost
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly cluster: string
  readonly self: { readonly nodeId: NodeId; readonly incarnation: Incarnation }
  readonly listener: PeerLinkListener
}

/** Why a peer's hello is not accepted. */
export interface HelloFault {
  readonly reason: string
  /** To be expected while a member restarts. */
  readonly isTransient: boolean
}

interface Attempt {
  readonly controller: AbortController
  readonly timeout: Timer
}

/**
 * Keeps one link to one incarnation of one member.
 *
 * The lower node id opens the links; either end may dial the connection below, the higher one only when none appeared
 * for a while, so that a pair that can reach each other in one direction only still links. A link and its connection
 * end together.
 */
export class PeerConnector {
  readonly peer: PeerAddress
  readonly #context: PeerConnectorContext
  readonly #isOpener: boolean
  readonly #linkListener: PeerLinkListener
  #link: PeerLink | undefined
  #attempt: Attempt | undefined
  #retry: Timer | undefined
  #failures = 0
  #upSinceMs = 0
  #stopped = false

  constructor(peer: PeerAddress, context: PeerConnectorContext) {
    this.peer = peer
    this.#context = context
    this.#isOpener = context.self.nodeId < peer.nodeId
    this.#linkListener = {
      ...context.listener,
      onUp: link => this.#onUp(link),
      onFrame: (link, channel, frame) => context.listener.onFrame(link, channel, frame),
      onDrain: (link, channel) => context.listener.onDrain(link, channel),
      onDown: (link, reason, wasUp) => this.#onDown(link, reason, wasUp),
    }
    if (this.#isOpener) this.#open()
    else this.#awaitDial(DIAL_PATIENCE_MS)
  }

  get link(): PeerLink | undefined {
    return this.#link
  }

  /** Ends the link and tries no more. */
  stop(reason: string): void {
    this.#stopped = true
    this.#retry?.cancel()
    this.#endAttempt()
    this.#link?.close(reason)
  }

  /** A connection with the peer is there, whoever dialled it. */
  connected(): void {
    if (!this.#isOpener || this.#stopped || this.#link !== undefined || this.#attempt !== undefined) return
    this.#open()
  }

  /** A stream the peer opened, its hello read. Returns what is wrong with the hello, or undefined. */
  accept(channel: PeerChannel, stream: ChannelStream, hello: Hello): HelloFault | undefined {
    const fault = this.#verify(hello)
    if (fault !== undefined) return fault
    if (this.#isOpener) return lasting(`links with ${this.peer.nodeId} are opened here, and it opened one`)
    if (this.#link?.id !== hello.linkId) this.#replaceLink(hello.linkId)
    this.#link?.add(channel, stream)
    return undefined
  }

  #open(): void {
    this.#retry?.cancel()
    this.#context.stats.dials++
    const attempt: Attempt = {
      controller: new AbortController(),
      timeout: this.#context.clock.schedule(HANDSHAKE_TIMEOUT_MS, () =>
        this.#fail(attempt, 'no answer in time'),
      ),
    }
    this.#attempt = attempt
    this.#openStreams(attempt).catch((error: unknown) => this.#fail(attempt, errorMessage(error)))
  }

  async #openStreams(attempt: Attempt): Promise<void> {
    const { signal } = attempt.controller
    const connection = await this.#context.host.connect(this.peer, signal)
    const streams = await Promise.all(
      peerChannels.map(channel => connection.newStream(channelProtocol(channel), { signal })),
    )
    if (this.#attempt !== attempt) {
      for (const stream of streams) stream.abort(new Error('given up'))
      return
    }
    this.#endAttempt()
    const link = this.#replaceLink(toHex(this.#context.random.bytes(8)))
    for (const [i, stream] of streams.entries()) {
      link.add(peerChannels[i] as PeerChannel, new ChannelStream(stream, deaf))
    }
  }

  #replaceLink(id: string): PeerLink {
    const { self, cluster, clock } = this.#context
    const old = this.#link
    const link = new PeerLink({
      id,
      peer: this.peer,
      isOpener: this.#isOpener,
      hello: encodeHello({ wireVersion: LINK_WIRE_VERSION, linkId: id, cluster, ...self }),
      verify: hello =>
        hello.linkId === id ? this.#verify(hello)?.reason : 'it answered with another link id',
      listener: this.#linkListener,
    })
    this.#link = link
    old?.close('the peer opened a new link')
    clock.schedule(HANDSHAKE_TIMEOUT_MS, () => {
      if (!link.isUp) link.close('no answer in time')
    })
    return link
  }

  #verify(hello: Hello): HelloFault | undefined {
    const { cluster } = this.#context
    const { nodeId, incarnation } = this.peer
    if (hello.wireVersion !== LINK_WIRE_VERSION) {
      return lasting(`it speaks link protocol ${hello.wireVersion}, this node ${LINK_WIRE_VERSION}`)
    }
    if (hello.cluster !== cluster) {
      return lasting(`it belongs to cluster "${hello.cluster}", this node to "${cluster}"`)
    }
    if (hello.nodeId !== nodeId) return lasting(`it calls itself ${hello.nodeId} and is ${nodeId}`)
    if (hello.incarnation !== incarnation) {
      const reason = `it is incarnation ${hello.incarnation}, the member known here is ${incarnation}`
      return { reason, isTransient: hello.incarnation > incarnation }
    }
    return undefined
  }

  #onUp(link: PeerLink): void {
    this.#upSinceMs = this.#context.clock.now()
    this.#context.logger.info('link up', { peer: this.peer.nodeId })
    this.#context.listener.onUp(link)
  }

  #onDown(link: PeerLink, reason: string, wasUp: boolean): void {
    const isCurrent = link === this.#link
    if (isCurrent) {
      this.#link = undefined
      this.#context.host.dropConnections(this.peer.peerId)
    }
    if (wasUp) {
      if (this.#context.clock.now() - this.#upSinceMs >= SOUND_LINK_MS) this.#failures = 0
      const { logger } = this.#context
      if (this.#stopped) logger.debug('link closed', { peer: this.peer.nodeId, reason })
      else {
        this.#context.stats.linksLost++
        logger.info('link down', { peer: this.peer.nodeId, reason })
      }
    }
    if (isCurrent) this.#retryLater(reason)
    this.#context.listener.onDown(link, reason, wasUp)
  }

  #fail(attempt: Attempt, reason: string): void {
    if (this.#attempt !== attempt) return
    this.#context.stats.dialsFailed++
    this.#endAttempt()
    this.#context.host.dropConnections(this.peer.peerId)
    this.#retryLater(reason)
  }

  #endAttempt(): void {
    this.#attempt?.timeout.cancel()
    this.#attempt?.controller.abort()
    this.#attempt = undefined
  }

  #retryLater(reason: string): void {
    if (this.#stopped) return
    this.#failures++
    const { logger, clock, random } = this.#context
    const fields = { peer: this.peer.nodeId, addresses: this.peer.addresses, reason }
    if (this.#failures === FAILURES_TOLD) logger.warn('a member cannot be reached; trying on', fields)
    else logger.debug('no link with a member yet', fields)
    if (!this.#isOpener) this.#awaitDial(DIAL_PATIENCE_MS)
    else this.#retry = clock.schedule(backoffMs(this.#failures, random), () => this.#open())
  }

  /** The other end opens links: only dial when no connection comes about. */
  #awaitDial(patienceMs: number): void {
    const { clock, random, host, stats } = this.#context
    this.#retry?.cancel()
    this.#retry = clock.schedule(patienceMs * (1 + random.fraction()), () => {
      if (this.#link !== undefined) return
      this.#awaitDial(patienceMs)
      if (host.isConnected(this.peer.peerId) || this.#attempt !== undefined) return
      const attempt: Attempt = {
        controller: new AbortController(),
        timeout: clock.schedule(HANDSHAKE_TIMEOUT_MS, () => this.#endAttempt()),
      }
      this.#attempt = attempt
      stats.dials++
      // The opener is told of the connection by its own host; when there is none it is dialled again above.
      const done = (): void => {
        if (this.#attempt === attempt) this.#endAttempt()
      }
      host.connect(this.peer, attempt.controller.signal).then(done, () => {
        if (!this.#stopped) stats.dialsFailed++
        done()
      })
    })
  }
}

function lasting(reason: string): HelloFault {
  return { reason, isTransient: false }
}

const deaf = {
  onFrame: () => undefined,
  onDrain: () => undefined,
  onClose: () => undefined,
}
