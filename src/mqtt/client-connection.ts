/**
 * One client's network connection: from the first byte to the last.
 *
 * It frames what arrives, hands each packet to its handler, gathers what leaves, and owns the connection's states
 * (`new` → `claiming` → `connected` → `closed`). What packets mean is in `handlers/`; what outlives the connection is in
 * `Session`. Invariants: nothing is read before CONNECT but CONNECT; acknowledgements and QoS ≥ 1 deliveries leave only in
 * a turn in which the node may acknowledge; after `close` nothing leaves.
 */
import { limits } from '../core/limits.ts'
import type { ByteStream, ByteStreamListener } from '../core/ports/byte-stream.ts'
import type { LocalSubscription } from '../core/ports/routing.ts'
import type { Publication } from '../core/publication.ts'
import { AcknowledgementQueue, type AcknowledgementSlot } from './acknowledgement-queue.ts'
import { packetIdOf, type QueuedMessage } from './delivery-queue.ts'
import { handlePacket } from './handlers/packet.ts'
import type { MqttServices } from './mqtt-services.ts'
import { OUTPUT_CHUNK_BYTES, OutputBuffer } from './output-buffer.ts'
import type { Flushable } from './output-scheduler.ts'
import { reason } from './reason-codes.ts'
import type { Session, SessionClient } from './session.ts'
import type { Will } from './will.ts'
import { encodeDisconnect, pubackBytes, writePuback } from './wire/control-encoder.ts'
import { PacketFramer, type PacketSink, type SinkAnswer } from './wire/packet-framer.ts'
import { packetType, type PacketFault, type ProtocolVersion } from './wire/packet-types.ts'

const CONNECT_BYTE = packetType.connect << 4

export type ConnectionState = 'new' | 'claiming' | 'connected' | 'closed'

/** What was agreed in CONNECT and CONNACK. */
export interface ConnectionTerms {
  readonly version: ProtocolVersion
  /** 1.5 × the keep alive in force; 0 = none. */
  readonly silenceMaxMs: number
  /** QoS ≥ 1 messages in flight towards the client. */
  readonly inflightMax: number
  /** Largest packet the client takes. */
  readonly packetBytesMax: number
}

export class ClientConnection implements ByteStreamListener, PacketSink, Flushable, SessionClient {
  readonly stream: ByteStream
  readonly services: MqttServices
  readonly openedAtMs: number
  state: ConnectionState = 'new'
  version: ProtocolVersion = 4
  inflightMax = 1
  silenceMaxMs = 0
  lastReceivedAtMs: number
  session: Session | undefined
  will: Will | undefined
  #packetBytesMax = Infinity
  readonly #framer: PacketFramer
  readonly #output: OutputBuffer
  #acknowledgements: AcknowledgementQueue | undefined
  #hasReceived = false
  #isMarked = false
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

  /** PUBLISH packets of this client that are not acknowledged yet. */
  get unacknowledgedCount(): number {
    return this.#acknowledgements?.publishCount ?? 0
  }

  /** Whether the connection was stopped for a reason of ours, so that its silence says nothing. */
  get isReading(): boolean {
    return this.#isReading
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
    this.session?.pump()
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
    this.inflightMax = terms.inflightMax
    this.#packetBytesMax = terms.packetBytesMax
    this.#framer.packetBytesMax = this.services.options.packetBytesMax
    session.client = this
    this.continueReading()
  }

  continueReading(): void {
    if (this.#isReading || this.state === 'closed') return
    this.#isReading = true
    this.stream.resume()
    const fault = this.#framer.resume(this)
    if (fault !== undefined) this.fail(fault)
  }

  /** To be woken when the whole node can go on: after a suspension, or when queues to other nodes have room. */
  awaitWake(): void {
    this.services.scheduler.awaitWake(this)
  }

  /** To be woken when its own publishes have been acknowledged. */
  awaitAcknowledgements(): void {
    this.#awaitsAcknowledgements = true
  }

  /** Opens the slot in which the answer to a packet waits for its turn: `bytes`, or a PUBACK. */
  openSlot(packetId: number, bytes?: Uint8Array): AcknowledgementSlot {
    this.#acknowledgements ??= new AcknowledgementQueue(() => this.#mark())
    return this.#acknowledgements.open(packetId, bytes)
  }

  /** The slot has been told all it has to expect. */
  slotReady(): void {
    this.#mark()
  }

  /** Sends an answer that depends on nothing. */
  send(bytes: Uint8Array): void {
    if (this.state === 'closed') return
    this.#output.append(bytes)
    this.#afterWrite()
  }

  canSendAcknowledged(): boolean {
    return !this.#isCongested() && this.services.ownership.mayAcknowledge()
  }

  sendUnacknowledged(publication: Publication, retain: boolean, _subscription: LocalSubscription): boolean {
    if (this.state !== 'connected') return false
    if (this.#isCongested()) {
      this.services.stats.droppedSlowConsumer++
      return false
    }
    const nowMs = publication.expiresAtMs === undefined ? 0 : this.services.clock.wallNow()
    const { bytes } = this.services.encoder.encode(publication, this.version, 0, retain, nowMs)
    if (bytes.length > this.#packetBytesMax) {
      this.services.stats.droppedTooLarge++
      return false
    }
    this.#output.append(bytes)
    this.#afterWrite()
    return true
  }

  sendAcknowledged(message: QueuedMessage): boolean {
    const { publication, position, qos, retain, duplicate } = message
    const nowMs = publication.expiresAtMs === undefined ? 0 : this.services.clock.wallNow()
    const { bytes, packetIdOffset } = this.services.encoder.encode(
      publication,
      this.version,
      qos,
      retain,
      nowMs,
    )
    if (bytes.length > this.#packetBytesMax) return false
    const at = this.#output.length
    const buffer = this.#output.reserve(bytes.length)
    buffer.set(bytes, at)
    buffer.writeUInt16BE(packetIdOf(position), at + packetIdOffset)
    if (duplicate) buffer[at] = (buffer[at] as number) | 8
    this.#output.guarded = true
    this.#afterWrite()
    return true
  }

  flush(): void {
    this.#isMarked = false
    if (this.state === 'closed') return
    const { ownership, scheduler, journal } = this.services
    const queue = this.#acknowledgements
    if (queue !== undefined && !queue.isEmpty) {
      if (queue.isHeadReady(journal.committed)) {
        if (ownership.mayAcknowledge()) this.#releaseAcknowledgements(queue)
        else scheduler.awaitWake(this)
      }
      if (queue.isHeadWaitingForStore(journal.committed)) scheduler.awaitStore(this)
    }
    if (this.#output.length === 0) return
    // The lease is checked in the very turn the bytes leave (PROTOCOLS section 2.1).
    if (this.#output.guarded && !ownership.mayAcknowledge()) {
      scheduler.awaitWake(this)
      return
    }
    this.services.stats.bytesSent += this.#output.length
    this.#output.flushTo(this.stream)
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

  /** Ends the connection from our side: v5 clients are told why. The will is published unless `withWill` is false. */
  disconnect(reasonCode: number, detail: string, withWill = true): void {
    if (this.state === 'closed') return
    if (this.state === 'connected' && this.version === 5) this.#output.append(encodeDisconnect(reasonCode))
    this.#close(detail, withWill)
  }

  /** The client said DISCONNECT. */
  leave(withWill: boolean): void {
    this.#close('disconnected by the client', withWill)
  }

  /** CONNECT was refused with the encoded CONNACK; nothing (for 3.x, nothing that helps) can follow. */
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
    this.services.scheduler.forget(this)
    this.services.sessions.onConnectionClosed(this, detail, withWill)
  }

  #releaseAcknowledgements(queue: AcknowledgementQueue): void {
    const { committed } = this.services.journal
    while (queue.isHeadReady(committed)) {
      const slot = queue.take()
      if (slot.bytes !== undefined) {
        this.#output.append(slot.bytes)
      } else {
        const at = this.#output.length
        const buffer = this.#output.reserve(pubackBytes(this.version, slot.reasonCode))
        writePuback(buffer, at, this.version, slot.packetId, slot.reasonCode)
      }
    }
    this.#output.guarded = true
    if (this.#awaitsAcknowledgements && queue.publishCount * 2 < this.services.options.receiveMax) {
      this.#awaitsAcknowledgements = false
      this.services.clock.defer(() => this.continueReading())
    }
  }

  #isCongested(): boolean {
    return this.#output.length + this.stream.pendingBytes > limits.clientOutputBytesMax
  }

  #afterWrite(): void {
    if (this.#output.length >= OUTPUT_CHUNK_BYTES) this.flush()
    else this.#mark()
  }

  #mark(): void {
    if (this.#isMarked) return
    this.#isMarked = true
    this.services.scheduler.mark(this)
  }

  #stopReading(): void {
    this.#isReading = false
    this.stream.pause()
  }
}
