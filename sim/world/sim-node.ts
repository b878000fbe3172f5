/**
 * A node of the simulated cluster: a disk that stays, and one process after another on it, each the production
 * `BrokerNode` on simulated ports, started again by its supervisor when it ends.
 */
import { CoordinationKeys } from '../../coordination/keys.ts'
import { StoreGuard } from '../../coordination/store-guard.ts'
import { StoreSize } from '../../coordination/store-size.ts'
import { errorMessage } from '../../src/core/errors.ts'
import type { NodeId } from '../../src/core/ids.ts'
import type { LogFields, Logger } from '../../src/core/ports/logger.ts'
import type { Store } from '../../src/core/ports/store.ts'
import type { SubscriptionMode } from '../../src/core/ports/subscription-mode.ts'
import { TAIL_LATE } from '../../src/mqtt/session-arrivals.ts'
import { BrokerNode } from '../../src/node/broker-node.ts'
import { JournalWriter } from '../../src/storage/journal-writer.ts'
import { StoreEpochMemory } from '../../src/storage/store-epoch-memory.ts'
import { StoreOutboxJournal } from '../../src/storage/store-outbox-journal.ts'
import { StoreRetainedJournal } from '../../src/storage/store-retained-journal.ts'
import { StoreSeenJournal } from '../../src/storage/store-seen-journal.ts'
import { StoreSessionJournal } from '../../src/storage/store-session-journal.ts'
import { ClientSocket, type SocketListener } from './client-socket.ts'
import type { CrashDisk } from './crash-disk.ts'
import type { GossipMember } from './gossip-network.ts'
import type { MeshTransport } from './mesh-network.ts'
import { nodeOptions } from './node-options.ts'
import { ProcessClock } from './process-clock.ts'
import { StoreClient } from './store-client.ts'
import type { World } from './world.ts'

const RESTART_MS = 1000
/** A node that is told to stop drains for so long at most. */
const DRAIN_MS = 10_000
const DRAIN = { ratePerSecond: 100, isForced: false }

/** One process's life. */
interface SimProcess {
  readonly clock: ProcessClock
  readonly broker: BrokerNode
  readonly transport: MeshTransport
  readonly gossip: GossipMember
  readonly storeClient: StoreClient
  readonly store: Store
  readonly sockets: Set<ClientSocket>
  /** It was told to stop. */
  isStopping: boolean
}

export class SimNode {
  readonly nodeId: NodeId
  readonly disk: CrashDisk
  readonly #world: World
  #process: SimProcess | undefined
  #lives = 0
  #stoppedAtMs = 0
  /** While false, a process that ended stays ended. */
  isWanted = true

  constructor(world: World, nodeId: NodeId, disk: CrashDisk) {
    this.#world = world
    this.nodeId = nodeId
    this.disk = disk
  }

  /** Of the process that is up, stopped ones included. */
  get broker(): BrokerNode | undefined {
    return this.#process?.broker
  }

  get isStopped(): boolean {
    return this.#process?.clock.isStopped === true
  }

  /** Whether clients may connect, as `/ready` says. */
  get isReady(): boolean {
    return (
      this.#process !== undefined && !this.isStopped && this.#process.broker.readiness().every(({ ok }) => ok)
    )
  }

  boot(): void {
    if (this.#process !== undefined) return
    const { clock: world, trace } = this.#world
    const life = ++this.#lives
    trace.note(this.nodeId, `process ${life} starts`)
    this.#world.starts.push({ nodeId: this.nodeId, atMs: world.now() })
    const wallOffsetMs = this.#world.wallOffsetOf(this.nodeId)
    const clock = new ProcessClock(world, wallOffsetMs, error => {
      this.#world.reportBroken(`${this.nodeId} threw: ${stackOf(error)}`)
      this.crash('an exception escaped')
    })
    const seeded = this.#world.processRandom()
    const logger = new TraceLogger(this.#world, this.nodeId, {})
    const store = this.disk.open(clock)
    const storeClient = new StoreClient(this.#world.storeContext, this.nodeId, clock)
    const keys = new CoordinationKeys('sim')
    const guard = new StoreGuard(storeClient, { clock, random: seeded, logger }, keys.sessions)
    const storeSize = new StoreSize(guard, { clock, random: seeded, logger })
    storeSize.start()
    const transport = this.#world.mesh.transport(this.nodeId, clock)
    const gossip = this.#world.gossip.member(this.nodeId, transport.self.peerId, clock)
    const writer = new JournalWriter(store)
    const broker = new BrokerNode(
      {
        clock,
        random: seeded,
        logger,
        store,
        journal: new StoreSessionJournal(writer),
        retainedJournal: new StoreRetainedJournal(writer),
        outboxJournal: new StoreOutboxJournal(writer),
        seenJournal: new StoreSeenJournal(writer),
        authenticationMethods: [],
        coordinationStore: guard,
        storeSize,
        storeRefusal: guard.refusal,
        portMetrics: [],
        epochMemory: new StoreEpochMemory(store, logger),
        transport,
        gossip,
      },
      nodeOptions(this.nodeId, this.#world.mode),
    )
    const process = {
      clock,
      broker,
      transport,
      gossip,
      storeClient,
      store,
      sockets: new Set<ClientSocket>(),
      isStopping: false,
    }
    this.#process = process
    this.#world.onProcess(broker)
    const end = (why: string): void => {
      // What a supervisor does: end it, and start it again.
      if (this.#process === process) this.crash(why)
    }
    store.onFailed(error => clock.defer(() => end(errorMessage(error))))
    broker.onFailed(error => clock.defer(() => end(errorMessage(error))))
    broker.whenServing(() => {
      trace.note(this.nodeId, 'serves clients')
      this.#world.noteServing(this)
    })
    broker
      .start({ mqttAddress: this.nodeId, adminUrl: '' })
      .catch((error: unknown) => clock.deliver(() => end(`did not start: ${errorMessage(error)}`)))
  }

  /** SIGKILL, or the end of the process for `why`. */
  crash(why: string): void {
    const process = this.#process
    if (process === undefined) return
    this.#world.trace.note(this.nodeId, `process ends: ${why}`)
    this.#process = undefined
    process.clock.kill()
    process.transport.crash()
    process.storeClient.crash()
    this.#world.gossip.leave(process.gossip)
    this.disk.crash()
    for (const socket of process.sockets) socket.crash()
    this.#world.clock.schedule(RESTART_MS, () => {
      if (this.isWanted) this.boot()
    })
  }

  stop(): void {
    if (this.#process === undefined || this.isStopped) return
    this.#stoppedAtMs = this.#world.clock.now()
    this.#process.clock.stop()
  }

  continue(isSuspension: boolean): void {
    if (this.#process === undefined || !this.isStopped) return
    this.#world.pauses.push({
      nodeId: this.nodeId,
      fromMs: this.#stoppedAtMs,
      toMs: this.#world.clock.now(),
    })
    this.#process.clock.continue(isSuspension)
  }

  /** `grapevine mode set`; it may be refused. */
  setMode(mode: SubscriptionMode): void {
    this.#operate(async ({ broker }) => {
      const { isAccepted } = await broker.control.setMode(mode)
      this.#world.trace.note(this.nodeId, `${isAccepted ? 'accepts' : 'refuses'} the mode ${mode}`)
    })
  }

  /** `grapevine drain`. */
  drain(): void {
    this.#operate(({ broker }) => void broker.control.drain(DRAIN))
  }

  cancelDrain(): void {
    this.#operate(({ broker }) => void broker.control.cancelDrain())
  }

  /** SIGTERM, upon which it drains; started again by its supervisor. */
  restart(): void {
    this.#operate(async process => {
      if (process.isStopping) return
      process.isStopping = true
      const { broker, store } = process
      await broker.control.drainWithin(DRAIN, DRAIN_MS)
      await broker.stop()
      await store.close()
      if (this.#process === process) this.crash('it was told to stop')
    })
  }

  /** What the operator is told of a store that cannot be reached changes nothing. */
  #operate(task: (process: SimProcess) => Promise<void> | void): void {
    const process = this.#process
    process?.clock.deliver(() => {
      Promise.resolve(task(process)).catch((error: unknown) =>
        this.#world.trace.note(this.nodeId, `the operator is told: ${errorMessage(error)}`),
      )
    })
  }

  jumpWallClock(byMs: number): void {
    this.#process?.clock.jumpWallClock(byMs)
  }

  /** Its connection to the store breaks; it makes a new one. */
  breakStoreConnection(): void {
    const process = this.#process
    process?.clock.deliver(() => process.storeClient.reconnect())
  }

  /** Its watches of the store break, or begin anew. */
  setWatching(isWatching: boolean): void {
    const process = this.#process
    process?.clock.deliver(() => process.storeClient.setWatching(isWatching))
  }

  /** A client opens a connection; undefined: refused, since nothing listens. */
  dial(listener: SocketListener): ClientSocket | undefined {
    const process = this.#process
    if (process === undefined) return undefined
    const socket = new ClientSocket(this.#world, this.nodeId, process.clock, listener)
    process.sockets.add(socket)
    process.clock.deliver(() => process.broker.accept(socket.stream))
    return socket
  }
}

/** What the node tells its operator, in the timeline. */
class TraceLogger implements Logger {
  readonly #world: World
  readonly #nodeId: NodeId
  readonly #fields: LogFields

  constructor(world: World, nodeId: NodeId, fields: LogFields) {
    this.#world = world
    this.#nodeId = nodeId
    this.#fields = fields
  }

  debug(message: string, given?: LogFields | (() => LogFields)): void {
    const fields = typeof given === 'function' ? given() : given
    const clientId = fields?.['clientId']
    const { tailsLate, clock } = this.#world
    if (message === TAIL_LATE && typeof clientId === 'string' && !tailsLate.has(clientId))
      tailsLate.set(clientId, clock.now())
    this.#world.trace.detail(this.#nodeId, this.#line('debug', message, fields))
  }

  info(message: string, fields?: LogFields): void {
    this.#world.trace.note(this.#nodeId, this.#line('info', message, fields))
  }

  warn(message: string, fields?: LogFields): void {
    this.#world.trace.note(this.#nodeId, this.#line('warn', message, fields))
  }

  error(message: string, fields?: LogFields): void {
    this.#world.trace.note(this.#nodeId, this.#line('ERROR', message, fields))
  }

  child(fields: LogFields): Logger {
    return new TraceLogger(this.#world, this.#nodeId, { ...this.#fields, ...fields })
  }

  #line(level: string, message: string, fields: LogFields = {}): string {
    return `${level}: ${message} ${JSON.stringify({ ...this.#fields, ...fields })}`
  }
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return (error.stack ?? error.message)
    .split('\n')
    .slice(0, 6)
    .map(line => line.trim().replace(/file:\/\/\/.*?\/(src|coordination|gossip|routing|sim)\//, '$1/'))
    .join(' | ')
}
