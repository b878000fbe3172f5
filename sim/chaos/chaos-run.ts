/**
 * One run: a cluster under a workload, planned faults thrown at it, then everything healed and given time to settle, and
 * the checkers' verdict. A function of its options alone.
 */
import { decodeOwnership } from '../../coordination/session-record.ts'
import { CoordinationKeys } from '../../coordination/keys.ts'
import { check, type FoundViolation } from '../checkers/all-checkers.ts'
import type { NodeEnding, Outcome, OwnershipChange } from '../checkers/checker.ts'
import { History } from '../clients/history.ts'
import { SimClient } from '../clients/sim-client.ts'
import { isolated } from '../world/ambient.ts'
import { EventsExhausted } from '../ports/virtual-clock.ts'
import type { LatencyProfile } from '../world/network-conditions.ts'
import type { SimNode } from '../world/sim-node.ts'
import { World } from '../world/world.ts'
import { FaultInjector } from './fault-injector.ts'
import { type Fault, planFaults } from './fault-plan.ts'
import { Workload } from './workload.ts'

export interface ChaosOptions {
  readonly seed: number
  readonly nodes: number
  /** Virtual time under faults; settling comes on top. */
  readonly minutes: number
  /** Clients go from node to node, and their sessions with them. */
  readonly isRoaming: boolean
  /** An operator switches the subscription mode, drains and restarts nodes meanwhile. */
  readonly isOperated?: boolean | undefined
  /** Which of the faults the seed draws befall it, by index; undefined: all. */
  readonly keptFaults?: readonly number[] | undefined
  readonly isDetailed?: boolean | undefined
}

export interface ChaosResult {
  readonly seed: number
  readonly faults: readonly Fault[]
  readonly violations: readonly FoundViolation[]
  readonly traceHash: string
  readonly events: number
  readonly virtualMs: number
  readonly publishes: number
  readonly deliveries: number
  readonly connections: number
  readonly timeline: readonly string[]
}

type Ending = Pick<Outcome, 'unsettled' | 'retained'>

/** Clients and first sessions are there before anything goes wrong. */
const QUIET_MS = 6000
/** For links to come back and queues to drain when a fault is over. */
const AFTERMATH_MS = 8000
/** What a clogged link has taken still comes at its pace: of each second, mostly no more than so many. */
const BACKLOG = 3
const REST_STEP_MS = 5000
/** How long a healed cluster may take to come to rest. */
const REST_MS = 180_000
/** At rest, nothing may come for so long before it counts. */
const SILENCE_MS = 15_000
/** Events a run may take, twenty times what runs do take; a minute more for coming to rest. */
const EVENTS_PER_NODE_MINUTE_MAX = 300_000
const MEAN_GAPS_MS = [4000, 10_000, 25_000] as const

const latencies: readonly LatencyProfile[] = [
  { baseMs: 0.1, jitterMs: 0.1, tailShare: 0.001, tailMs: 20, bytesPerMs: 100_000 },
  { baseMs: 1, jitterMs: 0.5, tailShare: 0.01, tailMs: 200, bytesPerMs: 100_000 },
  { baseMs: 20, jitterMs: 10, tailShare: 0.02, tailMs: 250, bytesPerMs: 10_000 },
]

/** In a simulation's thread. `tamper`: does something to the world before it begins; a test's way to plant a bug. */
export async function runChaos(
  options: ChaosOptions,
  tamper: (world: World) => void = () => undefined,
): Promise<ChaosResult> {
  const world = makeWorld(options)
  tamper(world)
  return isolated(
    () => run(world, options),
    reason => world.reportBroken(`a rejection nobody handled: ${stackOf(reason)}`),
  )
}

async function run(world: World, options: ChaosOptions): Promise<ChaosResult> {
  const { clock, trace } = world
  const history = new History()
  const ownerships = watchOwnerships(world)
  const workload = new Workload(world, history, options.isRoaming)
  const chaosMs = options.minutes * 60_000
  const random = world.random('faults')
  const meanGapMs = MEAN_GAPS_MS[random.uint32() % MEAN_GAPS_MS.length] as number
  const nodeIds = world.nodes.map(({ nodeId }) => nodeId)
  const planned = planFaults(random, {
    nodeIds,
    fromMs: QUIET_MS,
    toMs: QUIET_MS + chaosMs,
    meanGapMs,
    isOperated: options.isOperated,
  })
  const faults = planned.filter((_, index) => options.keptFaults?.includes(index) ?? true)
  const injector = new FaultInjector(world, faults)
  for (const node of world.nodes) node.boot()
  workload.start()
  const { unsettled, retained } = await toTheEnd(async () => {
    await clock.advance(QUIET_MS)
    world.backUpStore()
    await clock.advance(chaosMs)
    trace.note('RUN', 'everything heals')
    injector.heal()
    workload.settleDown()
    const unsettled = await comeToRest(world, workload, history)
    return { unsettled, retained: unsettled.length === 0 ? await readRetained(world) : [] }
  })
  const outcome: Outcome = {
    history,
    broken: world.broken,
    unsettled,
    dropped: droppedOf(world),
    retained,
    ownerships,
    storeReplacedMs: world.storeReplacedMs,
    disturbed: [
      ...faults.map(({ kind, atMs, durationMs }) => ({
        fromMs: atMs,
        toMs: atMs + durationMs * (kind === 'clogged-link' ? 1 + BACKLOG : 1) + AFTERMATH_MS,
      })),
      // It takes as long as that took: after a partition much is sent at once.
      ...world.conditions.queues.map(({ fromMs, toMs }) => ({ fromMs, toMs: toMs + AFTERMATH_MS })),
    ],
    pauses: world.pauses,
    renewals: world.renewals,
    servedDamaged: world.servedDamaged,
    nodes: world.nodes.map(node => endingOf(world, node)),
    starts: world.starts,
    clockAheadMs: clockAheadOf(faults),
    tailsLate: world.tailsLate,
    endMs: clock.now(),
  }
  return {
    seed: options.seed,
    faults,
    violations: check(outcome),
    traceHash: trace.hash,
    events: clock.events,
    virtualMs: clock.now(),
    publishes: history.publishes.length,
    deliveries: history.deliveries.length,
    connections: history.connections.length,
    timeline: trace.lines,
  }
}

/** What kept a run from its end is what it did not come to rest from. */
async function toTheEnd(course: () => Promise<Ending>): Promise<Ending> {
  try {
    return await course()
  } catch (error) {
    if (!(error instanceof EventsExhausted)) throw error
    return { unsettled: [error.message], retained: [] }
  }
}

function makeWorld({ seed, nodes, minutes, isDetailed = false }: ChaosOptions): World {
  return new World({
    seed,
    nodes,
    latency: latencies[seed % latencies.length] as LatencyProfile,
    gossip: { lost: seed % 4 === 0 ? 0.3 : 0.02, doubled: 0.05, delayMs: 10 },
    isDetailed,
    eventsMax: nodes * (minutes + 1) * EVENTS_PER_NODE_MINUTE_MAX,
  })
}

/** Answers what had not come to rest in time. */
async function comeToRest(world: World, workload: Workload, history: History): Promise<readonly string[]> {
  let quietSinceMs = world.clock.now()
  let deliveries = -1
  for (let waitedMs = 0; waitedMs < REST_MS; waitedMs += REST_STEP_MS) {
    await world.clock.advance(REST_STEP_MS)
    if (deliveries !== history.deliveries.length || unsettledOf(world, workload).length > 0) {
      deliveries = history.deliveries.length
      quietSinceMs = world.clock.now()
    } else if (world.clock.now() - quietSinceMs >= SILENCE_MS) return []
  }
  const unsettled = unsettledOf(world, workload)
  return unsettled.length > 0 ? unsettled : ['messages were still coming at the end']
}

function unsettledOf(world: World, workload: Workload): readonly string[] {
  const what: string[] = []
  for (const node of world.nodes) {
    if (node.isReady) continue
    const failing = node.broker?.readiness().filter(({ ok }) => !ok) ?? []
    what.push(
      `${node.nodeId} is not ready: ${failing.map(({ name, detail }) => `${name}: ${detail}`).join('; ')}`,
    )
  }
  for (const client of workload.lasting) {
    const { clientId } = client.profile
    if (!client.isConnected) what.push(`${clientId} is not connected`)
    else if (!client.isSubscribed) what.push(`${clientId} waits for its SUBACK`)
    if (client.outstanding > 0) what.push(`${clientId} waits for ${client.outstanding} acknowledgements`)
  }
  return what
}

function endingOf({ service }: World, { nodeId, broker }: SimNode): NodeEnding {
  const memberKeys = service.state.range(new CoordinationKeys('sim').membersOf(nodeId)).length
  const queues = broker?.forwarder.peers.queues() ?? []
  return {
    nodeId,
    memberKeys,
    members: broker?.coordinator.members.map(member => member.nodeId) ?? [],
    sessions: [...(broker?.mqtt.sessions.sessions.keys() ?? [])],
    owed: queues.reduce((sum, { waiting, outboxMessages }) => sum + waiting + outboxMessages, 0),
  }
}

/** What a fresh subscriber of each node gets. */
async function readRetained(world: World): Promise<readonly ReadonlyMap<string, string>[]> {
  const readers = world.nodes.map(({ nodeId }, i) => {
    const history = new History()
    const client = new SimClient(
      {
        clock: world.clock,
        trace: world.trace,
        history,
        nodeIds: [nodeId],
        dial: (id, listener) => world.node(id).dial(listener),
      },
      {
        clientId: `reader-${i}`,
        version: 5,
        cleanStart: true,
        expirySeconds: 0,
        willDelaySeconds: undefined,
      },
      world.random(`reader ${i}`),
    )
    client.subscribe({ filter: 'r/#', qos: 1, barrier: 'local' })
    client.connect()
    return history
  })
  await world.clock.advance(REST_STEP_MS)
  return readers.map(({ deliveries }) => new Map(deliveries.map(({ topic, payload }) => [topic, payload])))
}

function droppedOf(world: World): Record<string, number> {
  const sum: Record<string, number> = { droppedQueueFull: 0, retainedRefused: 0 }
  for (const { broker } of world.nodes) {
    if (broker === undefined) continue
    sum['droppedQueueFull'] = (sum['droppedQueueFull'] ?? 0) + broker.mqtt.stats.droppedQueueFull
    sum['retainedRefused'] = (sum['retainedRefused'] ?? 0) + broker.mqtt.stats.retainedRefused
  }
  return sum
}

/** A clock behind is the others' clocks ahead. */
function clockAheadOf(faults: readonly Fault[]): number {
  return Math.max(0, ...faults.map(fault => (fault.kind === 'clock-jump' ? Math.abs(fault.byMs) : 0)))
}

/** Every ownership the store ever held, as it was written. */
function watchOwnerships(world: World): OwnershipChange[] {
  const changes: OwnershipChange[] = []
  const prefix = new CoordinationKeys('sim').sessions
  const watch = (): void => {
    const added = world.service.watches.add(prefix, {
      onReset: () => undefined,
      onEvents: events => {
        for (const event of events) {
          const key = event.type === 'put' ? event.entry.key : event.key
          const clientId = key.slice(prefix.length).replace(/^\d+\//, '')
          const owned = event.type === 'put' ? decodeOwnership(event.entry) : undefined
          world.trace.detail('store', `${clientId} is ${owned === undefined ? 'nobody' : owned.node}'s`)
          if (event.type !== 'put' || owned === undefined) continue
          changes.push({
            clientId,
            nodeId: owned.node,
            epoch: owned.token.epoch,
            tokenRevision: owned.token.revision,
            modRevision: owned.modRevision,
            atMs: world.clock.now(),
          })
        }
      },
    })
    added.start()
  }
  watch()
  world.onStoreReplaced = watch
  return changes
}

function stackOf(reason: unknown): string {
  return reason instanceof Error
    ? (reason.stack ?? reason.message).split('\n').slice(0, 6).join(' | ')
    : String(reason)
}
