/**
 * This project's architecture and what it was chosen over within its own code: single claims, and subscriptions that travel
 * through etcd. Figures come from measurements and from production code in virtual time.
 */
import { IN_USE_MAX } from '../../coordination/store-size.ts'
import { EXACT_CHANGE_BYTES } from '../../gossip/delta-codec.ts'
import { coordinationLoad } from '../capacity/coordination-load.ts'
import { expectedStructures } from '../capacity/node-load.ts'
import { words, type Architecture, type PropertyName, type PropertyValue } from './architecture.ts'
import type { ClaimsResult } from './claims-run.ts'
import { assumed, computed, constant, simulated, type Figure } from './figure.ts'
import { clientsUntilFull, hashedIndexBytes, spreadP99, type SharedCosts } from './shared-costs.ts'

export function ownArchitectures(shared: SharedCosts): readonly Architecture[] {
  return [
    {
      name: 'etcd + gossip',
      design:
        'Sessions in etcd, claimed in batches; subscriptions by gossip into bloom filters on every node. Recommended.',
      needed: shared.needed,
      cells: own(shared, {}, true),
    },
    {
      name: '… single claims',
      design: 'The same, but each claim is a transaction of its own.',
      needed: shared.needed,
      cells: own(shared, {}, false),
    },
    {
      name: '… by etcd',
      design:
        'The same as the first, but the changes of subscriptions travel as records in etcd (mode etcd).',
      needed: shared.needed,
      cells: own(shared, throughEtcd(shared), true),
    },
  ]
}

type Cells = Architecture['cells']

function own(shared: SharedCosts, other: Partial<Record<PropertyName, Figure>>, isBatched: boolean): Cells {
  const { constants, plan, simulations, hop } = shared
  const { values } = constants
  const claimsWall = constant(
    values[isBatched ? 'etcd.claimsPerSecondBatched' : 'etcd.claimsPerSecondSingle'],
    isBatched
      ? 'claims in nested transactions through one etcd'
      : 'claims in single transactions through one etcd',
  )
  const claims = isBatched ? simulations.batched : simulations.single
  const storm = coordinationLoad(plan.workload, 'storm', constants)
  const changesWall =
    other.changesWall ??
    computed(
      'each node applies what all others change, with one core and nothing else to do',
      [constant(values['node.cpuUsPerAppliedChange'], 'processor time of a change')],
      microseconds => ((1e6 / microseconds) * plan.workload.nodes) / (plan.workload.nodes - 1),
    )
  const storeBytes =
    other.storeBytes ??
    computed(
      'a record per session, and 15 minutes of a storm’s history',
      [constant(values['etcd.bytesPerRecordOnDisk'], 'bytes of a record in etcd’s database')],
      () => storm.databaseBytes,
    )
  const nodeBytes = hashedIndexBytes(shared)
  const limit = plan.limits.etcdQuotaGb * 1e9 * IN_USE_MAX
  const cells: Record<PropertyName, PropertyValue> = {
    spreadP99: other.spreadP99 ?? spreadP99(simulations.gossip, shared, 'gossip'),
    publishHops: simulated(1, 'production routes from the publisher’s node straight to the subscriber’s'),
    publishMs: hop,
    claimMs: claimLatency(claims, isBatched),
    claimsWall,
    changesWall,
    storeBytes,
    nodeBytes,
    syncs: claimSyncs(claims, shared, isBatched),
    clientsMax: clientsUntilFull(
      shared,
      shared.needed,
      claimsWall,
      changesWall,
      { ...storeBytes, limit },
      nodeBytes,
    ),
    owners: words(
      'never',
      'good',
      'simulated',
      'sim chaos checks it over every seed: a claim compares and swaps, a node without lease suspends itself',
    ),
    death: words(
      'nothing acknowledged; its sessions wait',
      'warn',
      'simulated',
      'sim chaos checks what was acknowledged; sessions’ state comes back with the node, or they start fresh',
    ),
    partition: words(
      'connected clients go on',
      'good',
      'simulated',
      'sim chaos cuts nodes from each other and from etcd; new sessions need etcd',
    ),
    wildcards: words('all', 'good', 'simulated', 'production code: a tree of wildcards on every node'),
    parts: words('brokers, etcd', 'warn', 'measured', 'what tests with real processes start'),
    effort: assumed(6, 'the estimate this project began with: 4 to 6 weeks'),
  }
  return cells
}

function throughEtcd(shared: SharedCosts): Partial<Record<PropertyName, Figure>> {
  const { constants, plan, simulations } = shared
  const { values } = constants
  const { nodes } = plan.workload
  const { bits, patternsOfNodes } = expectedStructures(plan.workload)
  const interestBytes = (nodes * 2 ** bits) / 8 + nodes * LOG_BYTES + patternsOfNodes * PATTERN_BYTES
  const storm = coordinationLoad(plan.workload, 'storm', constants)
  return {
    spreadP99: computed(
      'simulated with an etcd that needs no time, and what a write takes',
      [
        spreadP99(simulations.etcd, shared, 'records in etcd, watched by every node'),
        constant(values['etcd.writeMsP99'], 'a write to etcd, P99'),
      ],
      (spread, write) => spread + write,
    ),
    changesWall: assumed(
      ETCD_BYTES_PER_SECOND / EXACT_CHANGE_BYTES,
      `etcd takes ${ETCD_BYTES_PER_SECOND / 1e6} MB/s in values of 10 KB (published: 1,000 such writes a second), a change is ${EXACT_CHANGE_BYTES} B`,
    ),
    storeBytes: computed(
      'session records and history, and the interest of every node: its filter, its patterns, its log',
      [constant(values['etcd.bytesPerRecordOnDisk'], 'bytes of a record in etcd’s database')],
      () => storm.databaseBytes + interestBytes,
    ),
  }
}

const ETCD_BYTES_PER_SECOND = 10e6
/** Of changes kept beside the last snapshot of a node. */
const LOG_BYTES = 1024 * 1024
const PATTERN_BYTES = 40

function claimLatency(result: ClaimsResult | undefined, isBatched: boolean): Figure {
  if (result === undefined) return assumed(1000, 'not simulated: interrupted')
  const done = `${Math.round(result.claims / result.seconds).toLocaleString('en-US')} claims a second came through`
  const how = isBatched ? 'production’s ClaimBatcher' : 'a transaction per claim'
  return simulated(result.p99Ms, `${how} before a store as fast as measured, in virtual time: ${done}`)
}

function claimSyncs(result: ClaimsResult | undefined, { plan }: SharedCosts, isBatched: boolean): Figure {
  const { replicas } = plan.compare
  if (result === undefined || !isBatched)
    return assumed(
      1000 * replicas,
      `each claim is written to disk by itself on ${replicas} members, though etcd joins what comes at once`,
    )
  const transactions = (1000 * result.transactions) / result.claims
  return computed(
    `transactions counted in virtual time, times ${replicas} members`,
    [simulated(transactions, 'batches of production’s ClaimBatcher at the rate of a storm')],
    perThousand => perThousand * replicas,
  )
}
