import { CoordinationKeys } from '../../coordination/keys.ts'
import type { NodeId } from '../../src/core/ids.ts'
import type { GossipWeakness } from '../world/gossip-network.ts'
import { CLIENTS, type Site, STORE } from '../world/network-conditions.ts'
import type { World } from '../world/world.ts'
import { describeFault, type Fault } from './fault-plan.ts'

const SLOW_LINK_MS = 400
const SLOW_DISK_MS = 150
const HEALTHY_DISK_MS = 1
/** A tenth of what brokers say to one another when clients talk. */
const CLOGGED_BYTES_PER_MS = 2
/** Most is lost, and what comes does so late, often and in any order. */
const STORM: GossipWeakness = { lost: 0.7, doubled: 0.5, delayMs: 700 }

const keys = new CoordinationKeys('sim')

/** Makes planned faults happen to a world, and ends them: each at its time, or all at `heal`. */
export class FaultInjector {
  readonly #world: World
  readonly #underWay = new Set<() => void>()
  readonly #calm: GossipWeakness
  #storms = 0

  constructor(world: World, faults: readonly Fault[]) {
    this.#world = world
    this.#calm = world.gossip.weakness
    for (const fault of faults) world.clock.schedule(fault.atMs, () => this.#inject(fault))
  }

  /** Ends everything, and starts what is down. */
  heal(): void {
    for (const end of [...this.#underWay]) end()
    for (const node of this.#world.nodes) {
      node.isWanted = true
      node.boot()
    }
  }

  #inject(fault: Fault): void {
    const { trace, clock } = this.#world
    trace.note('FAULT', describeFault(fault))
    const undo = this.#begin(fault)
    const end = (): void => {
      if (!this.#underWay.delete(end)) return
      trace.note('fault ends', describeFault(fault))
      undo()
    }
    this.#underWay.add(end)
    clock.schedule(fault.durationMs, end)
  }

  #begin(fault: Fault): () => void {
    const { conditions, service, availability, gossip } = this.#world
    switch (fault.kind) {
      case 'kill':
        return this.#kill([fault.node])
      case 'kill-all':
        return this.#kill(this.#world.nodes.map(({ nodeId }) => nodeId))
      case 'stop':
      case 'suspend': {
        const node = this.#world.node(fault.node)
        node.stop()
        return () => node.continue(fault.kind === 'suspend')
      }
      case 'disk-full': {
        const { disk } = this.#world.node(fault.node)
        disk.isFull = true
        return () => (disk.isFull = false)
      }
      case 'disk-slow': {
        const { disk } = this.#world.node(fault.node)
        disk.writeMs = SLOW_DISK_MS
        return () => (disk.writeMs = HEALTHY_DISK_MS)
      }
      case 'partition':
        return this.#block([
          [fault.node, fault.other],
          [fault.other, fault.node],
        ])
      case 'one-way':
        return this.#block([[fault.node, fault.other]])
      case 'isolate':
        return this.#block(
          [STORE, ...this.#world.nodes.map(({ nodeId }) => nodeId)]
            .filter(site => site !== fault.node)
            .flatMap((site): [Site, Site][] => [
              [fault.node, site],
              [site, fault.node],
            ]),
        )
      case 'store-cut':
        return this.#block([
          [fault.node, STORE],
          [STORE, fault.node],
        ])
      case 'store-deaf':
        return this.#block([[STORE, fault.node]])
      case 'store-mute':
        return this.#block([[fault.node, STORE]])
      case 'clients-cut':
        return this.#block([
          [fault.node, CLIENTS],
          [CLIENTS, fault.node],
        ])
      case 'store-reconnect':
        this.#world.node(fault.node).breakStoreConnection()
        return () => undefined
      case 'slow-link':
        conditions.slow(fault.node, fault.other, SLOW_LINK_MS)
        return () => conditions.slow(fault.node, fault.other, 0)
      case 'clogged-link':
        return this.#clog(fault.node, fault.other)
      case 'gossip-storm':
        this.#storms++
        gossip.weakness = STORM
        return () => {
          if (--this.#storms === 0) gossip.weakness = this.#calm
        }
      case 'store-unwatched':
        this.#world.node(fault.node).setWatching(false)
        return () => this.#world.node(fault.node).setWatching(true)
      case 'store-elects':
        availability.isElecting = true
        return () => (availability.isElecting = false)
      case 'store-emptied':
        this.#world.replaceStore('empty')
        return () => undefined
      case 'store-restored':
        this.#world.replaceStore('backup')
        return () => undefined
      case 'lease-revoked':
        service.revokeLeaseOf(keys.membersOf(fault.node))
        return () => undefined
      case 'disk-rot':
        return this.#rot(fault.node)
      case 'store-down':
        availability.isDown = true
        for (const node of this.#world.nodes) node.breakStoreConnection()
        return () => (availability.isDown = false)
      case 'store-compacts':
        service.state.compact(service.state.revision)
        return () => undefined
      case 'mode-set':
        this.#world.node(fault.node).setMode('etcd')
        return () => this.#world.node(fault.node).setMode('gossip')
      case 'drain':
        this.#world.node(fault.node).drain()
        return () => this.#world.node(fault.node).cancelDrain()
      case 'restart':
        this.#world.node(fault.node).restart()
        return () => undefined
      case 'clock-jump':
        this.#world.jumpWallClock(fault.node, fault.byMs)
        return () => this.#world.jumpWallClock(fault.node, -fault.byMs)
    }
  }

  /** The process ends, and cannot start again before the record is as it was. */
  #rot(nodeId: NodeId): () => void {
    const node = this.#world.node(nodeId)
    const mend = node.disk.flipBit()
    node.crash('its disk is damaged')
    return () => {
      mend()
      node.crash('its disk was mended')
    }
  }

  #clog(node: NodeId, other: NodeId): () => void {
    const { conditions } = this.#world
    conditions.clog(node, other, CLOGGED_BYTES_PER_MS)
    conditions.clog(other, node, CLOGGED_BYTES_PER_MS)
    return () => {
      conditions.unclog(node, other)
      conditions.unclog(other, node)
    }
  }

  #kill(nodeIds: readonly NodeId[]): () => void {
    const nodes = nodeIds.map(nodeId => this.#world.node(nodeId))
    for (const node of nodes) {
      node.isWanted = false
      node.crash('killed')
    }
    return () => {
      for (const node of nodes) {
        node.isWanted = true
        node.boot()
      }
    }
  }

  #block(directions: readonly (readonly [from: Site, to: Site])[]): () => void {
    const { conditions } = this.#world
    for (const [from, to] of directions) conditions.block(from, to)
    return () => {
      for (const [from, to] of directions) conditions.unblock(from, to)
    }
  }
}
