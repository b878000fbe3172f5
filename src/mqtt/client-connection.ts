/**
 * One client's network connection: from the first byte to the last.
 *
 * It frames what arrives, hands each packet to its handler, gathers what leaves, and owns the connection's states
 * (`new` → `authenticating`, if asked for → `claiming` → `connected` → `closed`). What packets mean is in `handlers/`; what outlives the connection is in
 * `Session`. Invariants: nothing is read before CONNECT but CONNECT; acknowledgements and QoS ≥ 1 deliveries leave only in
 * a turn in which the node may acknowledge; after `close` nothing leaves.
 */
import { limits } from '../core/limits.ts'
import type { ByteStream, ByteStreamListener } from '../core/ports/byte-stream.ts'
import type { LocalMatch } from '../core/ports/routing.ts'
import type { Publication } from '../core/publication.ts'
import { AcknowledgementQueue, type AcknowledgementSlot } from './acknowledgement-queue.ts'
import type { ClientAuthentication } from './client-authentication.ts'
import { handlePacket } from './handlers/packet.ts'
import type { MqttServices } from './mqtt-services.ts'
import { OUTPUT_CHUNK_BYTES, OutputBuffer } from './output-buffer.ts'
import type { Flushable } from './output-scheduler.ts'
import { PublishSender, type PacketOutput, type SendingTerms } from './publish-sender.ts'
import { reason } from './reason-codes.ts'
import { RetainedDelivery } from './retained-delivery.ts'
import type { Session } from './session.ts'
import type { Will } from './will.ts'
import { acknowledgementBytes, writeAcknowledgement } from './wire/acknowledgement-codec.ts'
import { encodeDisconnect } from './wire/control-encoder.ts'
import { PacketFramer, type PacketSink, type SinkAnswer } from './wire/packet-framer.ts'
import { packetType, type PacketFault, type ProtocolVersion } from './wire/packet-types.ts'

const CONNECT_BYTE = packetType.connect << 4

export type ConnectionState = 'new' | 'authenticating' | 'claiming' | 'connected' | 'closed'

/** What was agreed in CONNECT and CONNACK. */
export interface ConnectionTerms extends SendingTerms {
  /** 1.5 × the keep alive in force; 0 = none. */
  readonly silenceMaxMs: number
}

export class ClientConnection implements ByteStreamListener, PacketSink, Flushable, PacketOutput {
  readonly stream: ByteStream
  readonly services: MqttServices
  readonly openedAtMs: number
  state: ConnectionState = 'new'
  version: ProtocolVersion = 4
  silenceMaxMs = 0
  lastReceivedAtMs: number
  session: Session | undefined
  will: Will | undefined
  /** Undefined unless CONNECT named an authentication method. */
  authentication: ClientAuthentication | undefined
  /** QoS 2 packet identifiers this connection has published and not released. */
  openReceives: Set<number> | undefined
  /** Topics by the aliases the client gave them. */
  topicAliases: Map<number, string> | undefined
  #sender: PublishSender | undefined
  #retained: RetainedDelivery | undefined
  #packetBytesMax = Infinity
  readonly #framer: PacketFramer
  readonly #output: OutputBuffer
  #acknowledgements: AcknowledgementQueue | undefined
  #hasReceived = false
  #isMarked = false
  /** The session has messages that the journal has not committed yet. */
  #awaitsStore = false
  #isReading = true
  /** Reading stopped because too many of its publishes are unacknowledged. */
  #awaitsAcknowledgements = false

  constructor(stream: ByteStream, services: MqttServices) {
    this.stream = stream
    this.services = services
    this.openedAtMs = this.lastReceivedAtMs = services.clock.now()
    this.#framer = new PacketFramer(limits.connectPacketBytesMax)
    this.#output = new OutputBuffer(services.pool)
    stream.listen(this)
  }

  /** PUBLISH packets of this connection whose exchange is not over: they count against Receive Maximum. */
  get unacknowledgedCount(): number {
    return (this.#acknowledgements?.pubackCount ?? 0) + (this.openReceives?.size ?? 0)
  }

  /** Whether the connection was stopped for a reason of ours, so that its silence says nothing. */
  get isReading(): boolean {
    return this.#isReading
  }

  /** Whether this is the connection the session sends to. */
  get isAttached(): boolean {
    return this.session !== undefined && this.session.client === this.#sender
  }

  get remote(): string {
    return this.stream.remote
  }

  get outputLength(): number {
    return this.#output.length
  }

  get pendingBytes(): number {
    return this.stream.pendingBytes
  }

  onData(chunk: Uint8Array): void {
    if (this.state === 'closed') return
    if (this.state === 'new' && !this.#hasReceived && chunk[0] !== CONNECT_BYTE) {
      // Something that does not speak MQTT may announce a length it never sends: no need to wait for it [MQTT-3.1.0-1].
      this.fail({ reasonCode: reason.protocolError, detail: 'the first byte is not that of CONNECT' })
      return
    }
    this.#hasReceived = true
    this.lastReceivedAtMs = this.services.clock.now()
    this.services.stats.bytesReceived += chunk.length
    const fault = this.#framer.feed(chunk, this)
    if (fault !== undefined) this.fail(fault)
  }

  onPacket(bytes: Uint8Array, start: number, bodyStart: number, end: number): SinkAnswer {
    const answer = handlePacket(this, bytes, start, bodyStart, end)
    if (answer === 'pause' || answer === 'retry') this.#stopReading()
    return answer
  }

  onDrain(): void {
    this.continueSending()
  }

  onClose(error: string | undefined): void {
    if (this.state === 'closed') return
    this.#finish(error ?? 'connection closed by the client', true)
  }

  /** The terms of CONNECT take effect; CONNACK has been queued. */
  established(session: Session, terms: ConnectionTerms): void {
    this.state = 'connected'
    this.session = session
    this.version = terms.version
    this.silenceMaxMs = terms.silenceMaxMs
    this.#packetBytesMax = terms.packetBytesMax
    this.#framer.packetBytesMax = this.services.options.packetBytesMax
    this.#sender = new PublishSender(terms, this, this.services)
    session.client = this.#sender
    this.continueReading()
  }

  continueReading(): void {
    if (this.#isReading || this.state === 'closed') return
    this.#isReading = true
    this.stream.resume()
    const fault = this.#framer.resume(this)
    if (fault !== undefined) this.fail(fault)
  }

  /** Sends what the client can take by now: it has read, or acknowledged. */
  continueSending(): void {
    this.session?.pump()
    this.#retained?.pump()
  }

  /** Sends these messages to the client as it takes them. */
  deliverRetained(messages: Publication[], match: LocalMatch): void {
    if (this.session === undefined || messages.length === 0) return
    this.#retained ??= new RetainedDelivery(this.session, this.services.retained)
    this.#retained.add(messages, match)
  }

  /** To be woken when the whole node can go on: after a suspension, or when queues to other nodes have room. */
  awaitWake(): void {
    this.services.scheduler.awaitWake(this)
  }

  /** To be woken when its own publishes have been acknowledged. */
  awaitAcknowledgements(): void {
    this.#awaitsAcknowledgements = true
  }

  /** Opens the slot in which the answer to a packet waits for its turn: `bytes`, or an acknowledgement of `type`. */
  openSlot(type: number, packetId: number, bytes?: Uint8Array): AcknowledgementSlot {
    this.#acknowledgements ??= new AcknowledgementQueue(() => this.#onSettled())
    return this.#acknowledgements.open(type, packetId, bytes)
  }

  /** The slot has been told all it has to expect. */
  slotReady(): void {
    this.#mark()
  }

  /** A client that was told to release a message must find it released after a crash, too: PUBREL waits for the journal. */
  sendRelease(packetId: number, reasonCode: number): void {
    const slot = this.openSlot(packetType.pubrel, packetId)
    slot.reasonCode = reasonCode
    if (this.session?.isJournaled === true) slot.requireCommitted(this.services.journal.appended)
    this.slotReady()
  }

  awaitStore(): void {
    this.#awaitsStore = true
    this.services.scheduler.awaitStore(this)
  }

  /** Sends an answer that depends on nothing, behind the acknowledgements that can leave by now. */
  send(bytes: Uint8Array): void {
    if (this.state === 'closed') return
    this.#releaseAcknowledgements()
    this.#output.append(bytes)
    this.written(false)
  }

  reserve(byteCount: number): Buffer {
    return this.#output.reserve(byteCount)
  }

  appendRun(source: Uint8Array, start: number, end: number): void {
    this.#output.appendRun(source, start, end)
    this.written(false)
  }

  written(isGuarded: boolean): void {
    if (isGuarded) this.#output.guarded = true
    if (this.#output.length >= OUTPUT_CHUNK_BYTES) this.#sendOutput()
    this.#mark()
  }

  flush(): void {
    this.#isMarked = false
    if (this.state === 'closed') return
    this.#releaseAcknowledgements()
    if (this.#awaitsStore) {
      this.#awaitsStore = false
      this.session?.pump()
    }
    this.#sendOutput()
    if (this.#retained?.isDone === false) this.#retained.pump()
  }

  /** The client broke the protocol: says so where the version can (after CONNECT), and closes. */
  fail(fault: PacketFault): void {
    if (this.state === 'closed') return
    this.services.stats.packetFaults++
    this.services.logger.info('client disconnected for a bad packet', {
      clientId: this.session?.clientId,
      remote: this.stream.remote,
      reasonCode: `0x${fault.reasonCode.toString(16)}`,
      detail: fault.detail,
    })
    this.disconnect(fault.reasonCode, fault.detail)
  }

  /**
   * Ends the connection from our side: v5 clients are told why, and which server to use instead. The will is published
   * unless `withWill` is false.
   */
  disconnect(reasonCode: number, detail: string, withWill = true, serverReference?: string): void {
    if (this.state === 'closed') return
    if (this.state === 'connected' && this.version === 5) {
      const withReason = encodeDisconnect(reasonCode, {
        reasonString: detail,
        ...(serverReference === undefined ? {} : { serverReference }),
      })
      // A reason string must not make the packet too large [MQTT-3.14.2-3].
      const fits = withReason.length <= this.#packetBytesMax
      this.#output.append(fits ? withReason : encodeDisconnect(reasonCode, {}))
    }
    this.#close(detail, withWill)
  }

  takeOver(detail: string): void {
    this.services.stats.sessionsTakenOver++
    this.disconnect(reason.sessionTakenOver, detail)
  }

  loseWill(detail: string): void {
    this.disconnect(reason.serverBusy, detail, false)
  }

  /** The client said DISCONNECT. */
  leave(withWill: boolean): void {
    this.#close('disconnected by the client', withWill)
  }

  /** CONNECT was refused with the encoded CONNACK; nothing may follow [MQTT-3.2.2-7]. */
  refuse(connack: Uint8Array, detail: string): void {
    if (this.state === 'closed') return
    this.#output.append(connack)
    this.#close(detail, false)
  }

  /** Drops the connection without a word. */
  abort(detail: string): void {
    if (this.state === 'closed') return
    this.#output.discard()
    this.#close(detail, true)
  }

  #close(detail: string, withWill: boolean): void {
    // What a suspended node holds back must not leave with the farewell.
    if (this.#output.guarded && !this.services.ownership.mayAcknowledge()) this.#output.discard()
    if (this.#output.length > 0) this.#output.flushTo(this.stream)
    this.state = 'closed' // before the stream can call back
    this.stream.end()
    this.#finish(detail, withWill)
  }

  #finish(detail: string, withWill: boolean): void {
    this.state = 'closed'
    this.#output.discard()
    this.#retained?.close()
    this.#retained = undefined
    this.services.scheduler.forget(this)
    // What it published may not be accepted by all yet, which matters should the session move.
    if ((this.#acknowledgements?.unsettledCount ?? 0) > 0) this.session?.publications.awaitSettlement(this)
    this.services.sessions.onConnectionClosed(this, detail, withWill)
  }

  /** Hands what was gathered to the stream, unless the node may not send it now. */
  #sendOutput(): void {
    if (this.#output.length === 0) return
    const { ownership, scheduler, stats } = this.services
    // The lease is checked in the very turn the bytes leave (PROTOCOLS section 2.1).
    if (this.#output.guarded && !ownership.mayAcknowledge()) {
      scheduler.awaitWake(this)
      return
    }
    stats.bytesSent += this.#output.length
    this.#output.flushTo(this.stream)
  }

  /** Writes the acknowledgements that nothing holds back any more. */
  #releaseAcknowledgements(): void {
    const queue = this.#acknowledgements
    if (queue === undefined || queue.isEmpty) return
    const { ownership, scheduler, journal } = this.services
    const { committed } = journal
    if (queue.isHeadReady(committed) && !ownership.mayAcknowledge()) {
      scheduler.awaitWake(this)
      return
    }
    while (queue.isHeadReady(committed)) {
      const { bytes, packetType: type, packetId, reasonCode, afterwards } = queue.take()
      if (bytes !== undefined) {
        this.#output.append(bytes)
      } else {
        const at = this.#output.length
        const buffer = this.#output.reserve(acknowledgementBytes(this.version, reasonCode))
        writeAcknowledgement(buffer, at, this.version, type, packetId, reasonCode)
      }
      this.#output.guarded = true
      afterwards?.()
    }
    if (queue.isHeadWaitingForStore(committed)) scheduler.awaitStore(this)
    if (this.#awaitsAcknowledgements && this.unacknowledgedCount * 2 < this.services.options.receiveMax) {
      this.#awaitsAcknowledgements = false
      this.services.clock.defer(() => this.continueReading())
    }
  }

  #onSettled(): void {
    if (this.state !== 'closed') this.#mark()
    else if (this.#acknowledgements?.unsettledCount === 0) this.session?.publications.settled(this)
  }

  #mark(): void {
    if (this.#isMarked || this.state === 'closed') return
    this.#isMarked = true
    this.services.scheduler.mark(this)
  }

  #stopReading(): void {
    this.#isReading = false
    this.stream.pause()
  }
}
