/**
 * What clients do during a run: who publishes and subscribes to what, who comes and goes. Made from the seed; it only drives
 * clients and never looks at brokers.
 */
import type { Random } from '../../src/core/ports/random.ts'
import type { QoS } from '../../src/core/qos.ts'
import type { History } from '../clients/history.ts'
import type { ClientProfile, ClientWorld, WantedSubscription } from '../clients/client-profile.ts'
import { SimClient } from '../clients/sim-client.ts'
import type { World } from '../world/world.ts'

const TOPICS = 4
/** Clients stay away longer than this, and never as long as that. */
const EXPIRY_SOON_SECONDS = 3
const EXPIRY_LATE_SECONDS = 600
const LIFE_MIN_MS = 5000
const LIFE_MORE_MS = 20_000
/** Shorter than some of those members' absences whose sessions are to expire. */
const BRIEF_EXPIRY_SECONDS = 3
/** One in so many seeds has a group whose members come and go with their sessions. */
const BRIEF_ONE_IN = 3
/** Longer than any run. */
const LONG_SECONDS = 86_400

interface Publisher {
  readonly client: SimClient
  readonly qos: QoS
  readonly intervalMs: number
  topic(): string
  readonly isRetainer: boolean
  /** What its messages have as expiry interval, by turns. */
  readonly expirySeconds?: readonly number[]
}

interface BriefMember {
  readonly client: SimClient
  readonly leave: (client: SimClient) => void
}

export class Workload {
  readonly clients: SimClient[] = []
  readonly #world: World
  readonly #history: History
  readonly #random: Random
  readonly #isRoaming: boolean
  readonly #publishers: Publisher[] = []
  /** Come and go by themselves; the others only lose their node. */
  readonly #restless: SimClient[] = []
  readonly #readers: SimClient[] = []
  /** Members of a group whose sessions end again and again. */
  readonly #brief: BriefMember[] = []
  /** Of its own, so that the other seeds' draws are not touched. */
  readonly #briefRandom: Random
  /** Vanishes some time and never comes back. */
  #mortal: SimClient | undefined
  #isOver = false

  /** `isRoaming`: clients connect to any node, so that sessions move; else each has a home it waits for. */
  constructor(world: World, history: History, isRoaming: boolean) {
    this.#world = world
    this.#isRoaming = isRoaming
    this.#history = history
    this.#random = world.random('workload')
    this.#briefRandom = world.random('brief members')
    this.#makePublishers()
    this.#makeSubscribers()
    this.#makeGroup()
    this.#makeWills()
    this.#makeRacers()
    this.#makeBrief()
  }

  get publishers(): readonly SimClient[] {
    return this.#publishers.map(({ client }) => client)
  }

  start(): void {
    const { clock } = this.#world
    for (const client of this.clients) clock.schedule(this.#random.fraction() * 3000, () => client.connect())
    for (const publisher of this.#publishers) this.#publishNext(publisher)
    for (const client of this.#restless) this.#disturbNext(client)
    for (const client of this.#readers) this.#stallNext(client)
    for (const brief of this.#brief) this.#leaveNext(brief)
    clock.schedule(LIFE_MIN_MS + this.#random.fraction() * LIFE_MORE_MS, () => this.#mortal?.vanish(false))
  }

  /** No new messages, everybody comes back, nobody leaves any more. */
  settleDown(): void {
    this.#isOver = true
    for (const client of this.clients) {
      if (client.profile.clientId === 'racer' || client === this.#mortal) client.settleDown()
      else client.connect()
    }
  }

  /** After the last CONNECT of those who race: nobody has the client id to itself unless one of them won. */
  get racers(): readonly SimClient[] {
    return this.clients.filter(({ profile }) => profile.clientId === 'racer')
  }

  /** Of whom it is expected to be connected in the end. */
  get lasting(): readonly SimClient[] {
    return this.clients.filter(client => client !== this.#mortal && client.profile.clientId !== 'racer')
  }

  #publishNext(publisher: Publisher): void {
    const delayMs = publisher.intervalMs * (0.2 + this.#random.fraction() * 1.6)
    this.#world.clock.schedule(delayMs, () => {
      if (this.#isOver) return
      const lot = this.#random.fraction()
      const topic = publisher.topic()
      if (publisher.isRetainer) {
        // Large and small ones take each other's place.
        publisher.client.publish(topic, publisher.qos, {
          retain: true,
          isEmpty: lot < 0.3,
          isLarge: lot > 0.55,
        })
      } else {
        const { expirySeconds: [soon, late] = [] } = publisher
        const expirySeconds = lot < 0.5 ? soon : late
        const more = expirySeconds === undefined ? {} : { expirySeconds }
        publisher.client.publish(topic, publisher.qos, more)
      }
      this.#publishNext(publisher)
    })
  }

  #disturbNext(client: SimClient): void {
    this.#world.clock.schedule(1000 + this.#random.fraction() * 15_000, () => {
      if (this.#isOver) return
      const lot = this.#random.fraction()
      if (lot < 0.5) client.vanish(true)
      else {
        client.disconnect()
        const awayMs = this.#random.fraction() * 5000
        this.#world.clock.schedule(awayMs, () => client.connect())
      }
      this.#disturbNext(client)
    })
  }

  #stallNext(client: SimClient): void {
    this.#world.clock.schedule(2000 + this.#random.fraction() * 10_000, () => {
      if (this.#isOver) {
        client.setStalled(false)
        return
      }
      client.setStalled(true)
      this.#world.clock.schedule(this.#random.fraction() * 6000, () => client.setStalled(false))
      this.#stallNext(client)
    })
  }

  #makePublishers(): void {
    const topic = (): string => `t/${this.#random.uint32() % TOPICS}`
    const make = (clientId: string, qos: QoS, profile: Partial<ClientProfile>, isRestless = true): void => {
      const client = this.#client(clientId, profile)
      this.#publishers.push({ client, qos, intervalMs: 250, topic, isRetainer: false })
      if (isRestless) this.#restless.push(client)
    }
    make('pub-q1', 1, {})
    make('pub-q2', 2, {})
    make('pub-q2-still', 2, {}, false)
    make('pub-q1-v4', 1, { version: 4 })
    make('pub-q1-clean', 1, { cleanStart: true, expirySeconds: 0 })
    make('pub-q0', 0, { cleanStart: true, expirySeconds: 0 })
    const fading = this.#client('pub-fading', {})
    this.#publishers.push({
      ...{ client: fading, qos: 1, intervalMs: 400, topic, isRetainer: false },
      expirySeconds: [EXPIRY_SOON_SECONDS, EXPIRY_LATE_SECONDS],
    })
    const retained = (): string => `r/${this.#random.uint32() % 5}`
    for (const clientId of ['retain-a', 'retain-b']) {
      const client = this.#client(clientId, {})
      this.#restless.push(client)
      this.#publishers.push({ client, qos: 1, intervalMs: 1500, topic: retained, isRetainer: true })
    }
  }

  #makeSubscribers(): void {
    const make = (
      clientId: string,
      wanted: WantedSubscription,
      profile: Partial<ClientProfile> = {},
    ): SimClient => {
      const client = this.#client(clientId, profile)
      client.subscribe(wanted)
      this.#restless.push(client)
      return client
    }
    make('sub-all-q2', { filter: 't/+', qos: 2, barrier: 'all' })
    make('sub-hash-q1', { filter: 't/#', qos: 1, barrier: 'all' })
    make('sub-v4', { filter: 't/1', qos: 1, barrier: 'local' }, { version: 4 })
    make('sub-local', { filter: 't/2', qos: 2, barrier: 'local' })
    make('sub-clean', { filter: 't/+', qos: 1, barrier: 'local' }, { cleanStart: true, expirySeconds: 0 })
    this.#readers.push(make('sub-slow', { filter: 't/0', qos: 1, barrier: 'all' }))
    const fickle = make('sub-fickle', { filter: 't/3', qos: 1, barrier: 'all' })
    this.#changeMindNext(fickle, { filter: 't/3', qos: 1, barrier: 'all' }, true)
    const still = this.#client('sub-still', {})
    still.subscribe({ filter: 't/+', qos: 2, barrier: 'all' })
  }

  #changeMindNext(client: SimClient, wanted: WantedSubscription, isSubscribed: boolean): void {
    this.#world.clock.schedule(1000 + this.#random.fraction() * 8000, () => {
      if (this.#isOver) return
      if (isSubscribed) client.unsubscribe(wanted)
      else client.subscribe(wanted)
      this.#changeMindNext(client, wanted, !isSubscribed)
    })
  }

  #makeGroup(): void {
    for (let i = 0; i < 3; i++) {
      const client = this.#client(`share-${i}`, {})
      client.subscribe({ filter: 't/+', group: 'g', qos: 1, barrier: 'all' })
      if (i > 0) this.#restless.push(client)
    }
  }

  #makeWills(): void {
    const watcher = this.#client('will-watch', {})
    watcher.subscribe({ filter: 'w/+', qos: 2, barrier: 'all' })
    for (const [clientId, willDelaySeconds] of [
      ['will-now', 0],
      ['will-late', 3],
    ] as const) {
      this.#restless.push(this.#client(clientId, { willDelaySeconds }))
    }
    this.#mortal = this.#client('will-last', { willDelaySeconds: 1 })
  }

  /** Several with one client id, which throw each other out again and again. */
  #makeRacers(): void {
    for (let i = 0; i < 3; i++) {
      const client = this.#client('racer', {})
      this.#restless.push(client)
    }
  }

  /**
   * A group with one member to the end, and others whose sessions end with messages that they have not acknowledged, in each way
   * in which a session that outlives its connection may end.
   */
  #makeBrief(): void {
    if (this.#briefRandom.uint32() % BRIEF_ONE_IN !== 0) return
    const make = (clientId: string, profile: Partial<ClientProfile> = {}): SimClient => {
      const client = this.#client(clientId, profile)
      client.subscribe({ filter: 't/+', group: 'brief', qos: 1, barrier: 'all' })
      return client
    }
    make('heir')
    this.#brief.push(
      {
        client: make('brief-expires', { expirySeconds: BRIEF_EXPIRY_SECONDS }),
        leave: client => client.vanish(false),
      },
      { client: make('brief-ends'), leave: client => client.disconnect(true) },
      { client: make('brief-clean', { cleanStart: true }), leave: client => client.vanish(false) },
    )
  }

  /** Reads nothing for a moment, so that something is on its way to it, leaves, and is back some time. */
  #leaveNext({ client, leave }: BriefMember): void {
    const { clock } = this.#world
    clock.schedule(2000 + this.#briefRandom.fraction() * 6000, () => {
      if (this.#isOver) return
      client.setStalled(true)
      clock.schedule(this.#briefRandom.fraction() * 1000, () => {
        if (this.#isOver) {
          client.setStalled(false)
          return
        }
        leave(client)
        clock.schedule(this.#briefRandom.fraction() * 2 * BRIEF_EXPIRY_SECONDS * 1000, () => client.connect())
        this.#leaveNext({ client, leave })
      })
    })
  }

  #client(clientId: string, profile: Partial<ClientProfile>): SimClient {
    const world: ClientWorld = {
      clock: this.#world.clock,
      trace: this.#world.trace,
      history: this.#history,
      nodeIds: this.#world.nodes.map(({ nodeId }) => nodeId),
      dial: (nodeId, listener) => this.#world.node(nodeId).dial(listener),
    }
    const number = this.clients.length
    const random = this.#world.random(`client ${number} ${clientId}`)
    const home = world.nodeIds[random.uint32() % world.nodeIds.length]
    const client = new SimClient(
      world,
      {
        clientId,
        version: 5,
        cleanStart: false,
        expirySeconds: LONG_SECONDS,
        willDelaySeconds: undefined,
        // Those who race do so from everywhere.
        home: this.#isRoaming || clientId === 'racer' ? undefined : home,
        ...profile,
      },
      random,
    )
    this.clients.push(client)
    return client
  }
}
