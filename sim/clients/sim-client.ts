/**
 * An MQTT client that speaks real bytes to simulated nodes: keeps a session as a good client library does, reconnects to any
 * node, resends what was not acknowledged, and writes down what it did and saw.
 *
 * It never judges: checkers do. Its codec is mqtt-packet, not the broker's own, so that a mistake of ours is not made twice.
 */
import { generate, parser, type IPublishPacket, type Packet } from 'mqtt-packet'
import type { NodeId } from '../../src/core/ids.ts'
import type { Timer } from '../../src/core/ports/clock.ts'
import type { Random } from '../../src/core/ports/random.ts'
import type { QoS } from '../../src/core/qos.ts'
import type { ClientSocket } from '../world/client-socket.ts'
import type { ClientProfile, ClientWorld, WantedSubscription } from './client-profile.ts'
import { ClientSubscriptions } from './client-subscriptions.ts'
import { connectPacket, RECEIVE_MAX } from './connect-packet.ts'
import {
  type ConnectionRecord,
  padded,
  payloadOf,
  type PublishRecord,
  unpadded,
  type WillRecord,
} from './history.ts'
import { describePacket } from './packet-description.ts'

const CONNACK_PATIENCE_MS = 12_000
const PING_MS = 4000
const SILENCE_MS = 9000
const RETRY_MS = 300

interface Outgoing {
  readonly record: PublishRecord
  isReleased: boolean
}

/** What came on one connection, whether or not it is still the client's. */
interface Line {
  readonly record: ConnectionRecord
  readonly socket: ClientSocket
  lastHeardMs: number
  readonly inFlight: Map<number, string>
}

export class SimClient {
  readonly profile: ClientProfile
  readonly #world: ClientWorld
  readonly #random: Random
  #line: Line | undefined
  #isConnected = false
  #isWanted = false
  #hasSettledDown = false
  #retry: Timer | undefined
  #pings: Timer | undefined
  #lastPacketId = 0
  #sequence = 0
  readonly #outgoing = new Map<number, Outgoing>()
  /** QoS 2 packet ids the broker has not released, with what came under them. */
  readonly #received = new Map<number, string>()
  readonly #subscriptions: ClientSubscriptions

  constructor(world: ClientWorld, profile: ClientProfile, random: Random) {
    this.#world = world
    this.profile = profile
    this.#random = random
    this.#subscriptions = new ClientSubscriptions(world, profile, {
      connection: () => (this.#isConnected ? this.#line?.record : undefined),
      nextPacketId: () => this.#nextPacketId(),
      send: packet => {
        if (this.#line !== undefined) this.#send(this.#line, packet)
      },
    })
  }

  get isConnected(): boolean {
    return this.#isConnected
  }

  get outstanding(): number {
    return this.#outgoing.size
  }

  /** Whether every subscription it wants is in force. */
  get isSubscribed(): boolean {
    return this.#subscriptions.isComplete
  }

  /**
   * Connects, and again whenever the connection is gone, until told otherwise; not any more once it has settled down. `nodeId`:
   * to that node only this time.
   */
  connect(nodeId?: NodeId): void {
    if (this.#hasSettledDown) return
    this.#isWanted = true
    if (this.#line === undefined) this.#dial(nodeId)
  }

  /** Says DISCONNECT and stays away until `connect`. `endsSession`: it has no use for its session any more. */
  disconnect(endsSession = false): void {
    this.#isWanted = false
    this.#retry?.cancel()
    const line = this.#line
    if (line === undefined) return
    line.record.disconnectSentMs = this.#world.clock.now()
    line.record.endsSession = endsSession
    const { record } = line
    this.#send(
      line,
      { cmd: 'disconnect', ...(endsSession && { reasonCode: 0, properties: { sessionExpiryInterval: 0 } }) },
      () => (record.disconnectReadMs = this.#world.clock.now()),
    )
    this.#drop(line)
    line.socket.end()
  }

  /** Vanishes. `isReturning`: connects anew soon. */
  vanish(isReturning: boolean): void {
    this.#isWanted = isReturning
    this.#retry?.cancel()
    const line = this.#line
    if (line !== undefined) {
      line.record.abandonedMs = this.#world.clock.now()
      this.#drop(line)
      line.socket.reset()
    }
    if (isReturning) this.#retrySoon()
  }

  /** Does not come back when it is disconnected. */
  settleDown(): void {
    this.#isWanted = false
    this.#hasSettledDown = true
  }

  setStalled(isStalled: boolean): void {
    this.#line?.socket.setStalled(isStalled)
  }

  subscribe(wanted: WantedSubscription): void {
    this.#subscriptions.want(wanted)
  }

  unsubscribe(wanted: WantedSubscription): void {
    this.#subscriptions.unwant(wanted)
  }

  /** False when it is not connected or has too much under way. `isEmpty`: deletes what is retained. */
  publish(
    topic: string,
    qos: QoS,
    more: { retain?: boolean; isEmpty?: boolean; isLarge?: boolean; expirySeconds?: number } = {},
  ): boolean {
    const line = this.#line
    if (line === undefined || !this.#isConnected || this.#outgoing.size >= RECEIVE_MAX) return false
    const record: PublishRecord = {
      publisher: this.profile.clientId,
      sequence: ++this.#sequence,
      topic,
      qos,
      retain: more.retain ?? false,
      isEmpty: more.isEmpty ?? false,
      isLarge: more.isLarge ?? false,
      expirySeconds: more.expirySeconds,
      sends: [],
      acknowledgedMs: undefined,
      acknowledgedOn: undefined,
    }
    this.#world.history.publishes.push(record)
    if (qos === 0) {
      this.#sendPublish(line, record, undefined, false)
      return true
    }
    const packetId = this.#nextPacketId()
    this.#outgoing.set(packetId, { record, isReleased: false })
    this.#sendPublish(line, record, packetId, false)
    return true
  }

  #dial(nodeId?: NodeId): void {
    const { clock, history, nodeIds, trace } = this.#world
    const { clientId, cleanStart, expirySeconds, version, willDelaySeconds } = this.profile
    const chosen = nodeId ?? this.profile.home ?? nodeIds[this.#random.uint32() % nodeIds.length] ?? ''
    const number = history.connections.length + 1
    const will: WillRecord | undefined =
      willDelaySeconds === undefined
        ? undefined
        : { topic: `w/${clientId}`, payload: `will:${clientId}:${number}`, delaySeconds: willDelaySeconds }
    const record: ConnectionRecord = {
      number,
      clientId,
      nodeId: chosen,
      connectSentMs: clock.now(),
      cleanStart,
      expirySeconds,
      receiveMax: version === 5 ? RECEIVE_MAX : 65_535,
      will,
      connackWrittenMs: undefined,
      connackMs: undefined,
      lastWrittenMs: undefined,
      reasonCode: undefined,
      sessionPresent: false,
      disconnectSentMs: undefined,
      disconnectReadMs: undefined,
      endsSession: false,
      disconnectReason: undefined,
      abandonedMs: undefined,
      isLeftOpen: false,
      closedMs: undefined,
    }
    const decoder = parser({ protocolVersion: version })
    let writtenMs = 0
    const socket = this.#world.dial(chosen, {
      onData: (chunk, at) => {
        writtenMs = at
        decoder.parse(Buffer.from(chunk))
      },
      onClose: () => this.#closed(line),
    })
    if (socket === undefined) {
      this.#retrySoon()
      return
    }
    history.connections.push(record)
    const line: Line = { record, socket, lastHeardMs: clock.now(), inFlight: new Map() }
    decoder.on('packet', packet => this.#handle(line, packet, writtenMs))
    decoder.on('error', error => this.#breach(line, 'malformed', String(error)))
    this.#line = line
    trace.detail(clientId, `CONNECT to ${chosen} (connection ${number})`)
    this.#send(line, connectPacket(this.profile, will))
    clock.schedule(CONNACK_PATIENCE_MS, () => {
      if (this.#line === line && !this.#isConnected) this.#giveUp(line)
    })
  }

  #handle(line: Line, packet: Packet, writtenMs: number): void {
    const { clock, history, trace } = this.#world
    const { record } = line
    line.lastHeardMs = clock.now()
    record.lastWrittenMs = writtenMs
    trace.detail(this.profile.clientId, `← ${describePacket(packet)} (connection ${record.number})`)
    switch (packet.cmd) {
      case 'connack': {
        record.connackWrittenMs = writtenMs
        record.connackMs = clock.now()
        record.reasonCode = packet.reasonCode ?? packet.returnCode ?? 0
        record.sessionPresent = packet.sessionPresent
        if (this.#line !== line) return
        if (record.reasonCode === 0) this.#connected(line)
        else this.#giveUp(line)
        return
      }
      case 'puback':
      case 'pubrec':
      case 'pubcomp':
        history.acknowledgements.push({
          connection: record,
          kind: packet.cmd,
          packetId: packet.messageId ?? 0,
          writtenMs,
        })
        if (this.#line === line) this.#acknowledged(line, packet)
        return
      case 'publish':
        this.#delivered(line, packet, writtenMs)
        return
      case 'pubrel':
        if (this.#line !== line) return
        this.#received.delete(packet.messageId ?? 0)
        line.inFlight.delete(packet.messageId ?? 0)
        this.#send(line, { cmd: 'pubcomp', messageId: packet.messageId ?? 0 })
        return
      case 'suback':
      case 'unsuback':
        if (this.#line === line) this.#subscriptions.answered(packet)
        return
      case 'disconnect':
        record.disconnectReason = packet.reasonCode ?? 0
        return
      default:
    }
  }

  #connected(line: Line): void {
    const { clock } = this.#world
    this.#isConnected = true
    if (!line.record.sessionPresent) {
      this.#outgoing.clear()
      this.#received.clear()
    }
    this.#pings = clock.repeat(PING_MS, () => {
      if (clock.now() - line.lastHeardMs > SILENCE_MS) this.#giveUp(line)
      else this.#send(line, { cmd: 'pingreq' })
    })
    for (const [packetId, { record, isReleased }] of this.#outgoing) {
      if (isReleased) this.#send(line, { cmd: 'pubrel', messageId: packetId })
      else this.#sendPublish(line, record, packetId, true)
    }
    this.#subscriptions.resume(line.record.sessionPresent)
  }

  #acknowledged(line: Line, packet: Packet & { cmd: 'puback' | 'pubrec' | 'pubcomp' }): void {
    const packetId = packet.messageId ?? 0
    const outgoing = this.#outgoing.get(packetId)
    if (outgoing === undefined) {
      if (packet.cmd === 'pubrec') this.#send(line, { cmd: 'pubrel', messageId: packetId })
      return
    }
    const isRefused = (packet.reasonCode ?? 0) >= 0x80
    if (packet.cmd === 'pubrec' && !isRefused) {
      outgoing.isReleased = true
      this.#send(line, { cmd: 'pubrel', messageId: packetId })
      return
    }
    this.#outgoing.delete(packetId)
    if (isRefused && packet.cmd !== 'pubcomp') return
    outgoing.record.acknowledgedMs = this.#world.clock.now()
    outgoing.record.acknowledgedOn = line.record
  }

  #delivered(line: Line, packet: IPublishPacket, writtenMs: number): void {
    const { clock, history } = this.#world
    const packetId = packet.messageId ?? 0
    const isCurrent = this.#line === line
    const payload = unpadded(packet.payload.toString())
    const underWay = packet.qos === 2 && isCurrent ? this.#received.get(packetId) : undefined
    const isRetransmission = underWay !== undefined
    if (isRetransmission && underWay !== payload)
      this.#breach(line, 'packet-id-reused', `${packetId}: ${underWay} was not released, then ${payload}`)
    history.deliveries.push({
      clientId: this.profile.clientId,
      connection: line.record,
      payload,
      topic: packet.topic,
      qos: packet.qos,
      packetId: packet.qos === 0 ? undefined : packetId,
      isDuplicateFlagged: packet.dup,
      isRetained: packet.retain,
      atMs: clock.now(),
      writtenMs,
      isRetransmission: isRetransmission || !isCurrent,
    })
    if (packet.qos === 0) return
    const before = line.inFlight.get(packetId)
    if (before !== undefined)
      this.#breach(line, 'packet-id-reused', `${packetId}: ${before}, then ${payload}`)
    line.inFlight.set(packetId, payload)
    if (line.inFlight.size > line.record.receiveMax)
      this.#breach(line, 'receive-maximum', `${line.inFlight.size} in flight`)
    if (!isCurrent) return
    if (packet.qos === 2) {
      this.#received.set(packetId, payload)
      this.#send(line, { cmd: 'pubrec', messageId: packetId })
    } else {
      line.inFlight.delete(packetId)
      this.#send(line, { cmd: 'puback', messageId: packetId })
    }
  }

  #sendPublish(line: Line, record: PublishRecord, packetId: number | undefined, isResent: boolean): void {
    const { clock } = this.#world
    const sent: PublishRecord['sends'][number] = { connection: line.record, atMs: clock.now() }
    record.sends.push(sent)
    const payload = payloadOf(record.publisher, record.sequence)
    const publish: IPublishPacket = {
      cmd: 'publish',
      topic: record.topic,
      payload: Buffer.from(record.isEmpty ? '' : record.isLarge ? padded(payload) : payload),
      qos: record.qos,
      dup: isResent,
      retain: record.retain,
      ...(packetId !== undefined && { messageId: packetId }),
      ...(record.expirySeconds !== undefined && {
        properties: { messageExpiryInterval: record.expirySeconds },
      }),
    }
    this.#send(line, publish, () => (sent.readMs = clock.now()))
  }

  #send(line: Line, packet: Packet, onRead?: () => void): void {
    this.#world.trace.detail(
      this.profile.clientId,
      `→ ${describePacket(packet)} (connection ${line.record.number})`,
    )
    line.socket.send(generate(packet, { protocolVersion: this.profile.version }), onRead)
  }

  /** Leaves the connection; half of the time without closing it, so that a broker that wakes up can still write to it. */
  #giveUp(line: Line): void {
    line.record.abandonedMs ??= this.#world.clock.now()
    if (this.#random.fraction() < 0.5) line.socket.reset()
    else line.record.isLeftOpen = true
    this.#drop(line)
    if (this.#isWanted) this.#retrySoon()
  }

  #closed(line: Line): void {
    line.record.closedMs ??= this.#world.clock.now()
    if (this.#line !== line) return
    this.#drop(line)
    if (this.#isWanted) this.#retrySoon()
  }

  #drop(line: Line): void {
    if (this.#line !== line) return
    line.record.closedMs ??= this.#world.clock.now()
    this.#line = undefined
    this.#isConnected = false
    this.#pings?.cancel()
  }

  #retrySoon(): void {
    this.#retry?.cancel()
    this.#retry = this.#world.clock.schedule(RETRY_MS * (0.5 + this.#random.fraction() * 2), () => {
      if (this.#isWanted && this.#line === undefined) this.#dial()
    })
  }

  #nextPacketId(): number {
    do this.#lastPacketId = (this.#lastPacketId % 65_535) + 1
    while (this.#outgoing.has(this.#lastPacketId) || this.#subscriptions.isAsking(this.#lastPacketId))
    return this.#lastPacketId
  }

  #breach(line: Line, rule: 'receive-maximum' | 'packet-id-reused' | 'malformed', detail: string): void {
    this.#world.history.breaches.push({
      connection: line.record,
      atMs: this.#world.clock.now(),
      rule,
      detail,
    })
  }
}
