/**
 * What changes of subscriptions cost: how many there are, in how many messages they travel, and what sending, receiving and
 * applying them takes. Pure arithmetic over the limits and the frames production uses.
 */
import { STREAM_MS_PER_PEER } from '../../gossip/delta-spreader.ts'
import { encodeDeltas, EXACT_CHANGE_BYTES, ExactChanges } from '../../gossip/delta-codec.ts'
import { limits } from '../../src/core/limits.ts'
import type { Constants } from '../constants/constants.ts'
import type { Workload } from './capacity-plan.ts'
import type { CoordinationLoad } from './coordination-load.ts'

export interface GossipLoad {
  /** Of the whole cluster: a filter that a node begins or ceases to want. */
  readonly changesPerSecond: number
  /** Batches of the whole cluster. */
  readonly batchesPerSecond: number
  readonly way: 'gossip' | 'streams'
  /** Copies of batches that a node sends, and as many it receives. */
  readonly copiesPerSecond: number
  /** Sent by a node, and as much received. */
  readonly bytesPerSecond: number
  /** Of one core of each node, for all of it. */
  readonly coresPerNode: number
}

/** Neighbours a gossip message is sent on to by each node: the degree of the mesh that gossipsub is told to keep. */
const GOSSIP_COPIES_PER_NODE = 2

export function gossipLoad(
  workload: Workload,
  { connectsPerSecond, movesPerSecond }: Pick<CoordinationLoad, 'connectsPerSecond' | 'movesPerSecond'>,
  { values }: Constants,
): GossipLoad {
  const { clients, nodes, persistentShare, subscriptionsPerClient, churnPerHour } = workload
  // Filters many clients share come and go seldom: only those of their own are counted, and patterns as if they were.
  const own = subscriptionsPerClient * workload.distinctShare
  const withSessions = movesPerSecond * persistentShare + connectsPerSecond * (1 - persistentShare)
  const changesPerSecond = 2 * own * withSessions + (clients * churnPerHour * workload.distinctShare) / 3600
  const peers = nodes - 1
  const perNode = changesPerSecond / nodes
  const gathered = Math.min(perNode, 1000 / workload.batchIntervalMs)
  const isByGossip = gathered * nodes <= limits.gossipMessagesPerSecondMax
  const intervalMs = Math.max(workload.batchIntervalMs, peers * STREAM_MS_PER_PEER)
  const batches = isByGossip ? gathered : Math.min(perNode, 1000 / intervalMs)
  const copies = isByGossip ? batches * nodes * Math.min(peers, GOSSIP_COPIES_PER_NODE) : batches * peers
  const batchBytes = bytesOfBatch(batches === 0 ? 0 : perNode / batches)
  const apply = perNode * peers * values['node.cpuUsPerAppliedChange'].value
  // By stream each delta is answered by a frame that says how far its receiver is; gossip is answered the same way.
  const acknowledge = 2 * batches * peers * values['stream.cpuUsPerFrame'].value
  const carry = isByGossip
    ? copies * (values['gossip.cpuUsPerSend'].value + values['gossip.cpuUsPerReceive'].value)
    : 2 * copies * values['stream.cpuUsPerFrame'].value
  return {
    changesPerSecond,
    batchesPerSecond: batches * nodes,
    way: isByGossip ? 'gossip' : 'streams',
    copiesPerSecond: copies,
    bytesPerSecond: copies * batchBytes,
    coresPerNode: (apply + acknowledge + carry) / 1e6,
  }
}

/** Of a delta with so many exact changes on average: frame and changes. */
function bytesOfBatch(changes: number): number {
  const exact = new ExactChanges()
  exact.added(1, 2)
  const delta = {
    nodeId: 'node-12',
    incarnation: 123_456_789,
    firstSequence: 1,
    generation: 1,
    exact,
    patterns: [],
  }
  const [one] = encodeDeltas(delta)
  return (one?.length ?? 0) + (changes - 1) * EXACT_CHANGE_BYTES
}
