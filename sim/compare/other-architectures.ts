/**
 * Models of the architectures this one was chosen over, on the same workload and cost model. Nothing of them is built here: every
 * figure of theirs is assumed, or computed from assumptions and our own costs, and says which.
 */
import { IN_USE_MAX } from '../../coordination/store-size.ts'
import {
  words,
  type Architecture,
  type Demand,
  type PropertyName,
  type PropertyValue,
  type Words,
} from './architecture.ts'
import { assumed, computed, constant, type Figure } from './figure.ts'
import { clientsUntilFull, type SharedCosts } from './shared-costs.ts'

export function otherArchitectures(shared: SharedCosts): readonly Architecture[] {
  return [everythingInEtcd, customRaft, consistentHashing, kafka, redis, pureGossip].map(model =>
    model(shared),
  )
}

type Given = Record<Exclude<PropertyName, 'clientsMax'>, PropertyValue> &
  Record<'claimsWall' | 'changesWall' | 'storeBytes' | 'nodeBytes', Figure>

/** `storeLimit`: bytes that what stands in etcd’s place can hold. */
function model(
  shared: SharedCosts,
  name: string,
  design: string,
  storeLimit: number,
  cells: Given,
  needed: Demand = shared.needed,
): Architecture {
  const { claimsWall, changesWall, storeBytes, nodeBytes } = cells
  const clientsMax = clientsUntilFull(
    shared,
    needed,
    claimsWall,
    changesWall,
    { ...storeBytes, limit: storeLimit },
    nodeBytes,
  )
  return { name, design, needed, cells: { ...cells, clientsMax } }
}

const assumedWords = (text: string, verdict: Words['verdict'], ...reasons: [string, ...string[]]): Words =>
  words(text, verdict, 'assumed', ...reasons)

function everythingInEtcd(shared: SharedCosts): Architecture {
  const {
    plan,
    constants,
    sessionRecords,
    subscriptionRecords,
    hybridRetained,
    hop,
    roundTrip,
    subscriptions,
  } = shared
  const { values } = constants
  const { replicas } = plan.compare
  const writes = assumed(
    5_000,
    'etcd takes about 5,000 writes a second, published for 1 KB on an SSD; each claim or subscription is one',
  )
  return model(
    shared,
    'all in etcd',
    'A record in etcd for every session, subscription and retained message; every node caches them by watches.',
    plan.limits.etcdQuotaGb * 1e9 * IN_USE_MAX,
    {
      spreadP99: computed(
        'a write and the watch that tells it, while nothing queues',
        [constant(values['etcd.writeMsP99'], 'a write to etcd, P99'), roundTrip],
        (write, way) => write + way / 2,
      ),
      publishHops: assumed(1, 'every node knows every subscriber, as with us'),
      publishMs: hop,
      claimMs: assumed(
        50,
        'the published P99 of an etcd write; in a storm beyond 5,000 a second it grows without end',
      ),
      claimsWall: writes,
      changesWall: writes,
      storeBytes: computed(
        'records of sessions, subscriptions and retained messages',
        [sessionRecords, subscriptionRecords, hybridRetained],
        sum,
      ),
      nodeBytes: assumed(subscriptions * 500, 'every node caches all subscriptions, 500 B each'),
      syncs: assumed(
        1000 * replicas,
        `each write is synchronised by ${replicas} members; etcd joins what comes at once`,
      ),
      owners: assumedWords('never', 'good', 'etcd compares and swaps; fencing is up to the nodes'),
      death: assumedWords('messages waiting there', 'bad', 'queues are on the node’s disk alone'),
      partition: assumedWords(
        'the minority stops',
        'warn',
        'a node without etcd can neither claim nor subscribe',
      ),
      wildcards: assumedWords('all', 'good', 'every node has a tree of all filters'),
      parts: assumedWords('brokers', 'good', 'etcd is inside the first brokers'),
      effort: assumed(0, 'it is where this project began'),
    },
  )
}

function customRaft(shared: SharedCosts): Architecture {
  const { plan, sessionRecords, subscriptionRecords, hop, roundTrip, plainIndex } = shared
  const { replicas, syncMs } = plan.compare
  const intervalMs = 100
  return model(
    shared,
    'custom Raft',
    'A replicated state machine of our own for sessions; subscriptions follow it in the background.',
    plan.limits.memoryPerNodeGb * 1e9,
    {
      spreadP99: computed(
        'proposed in the background, at the latest with the next batch',
        [assumed(intervalMs, `batches are written every ${intervalMs} ms`), roundTrip],
        (batch, trip) => batch + trip,
      ),
      publishHops: assumed(1, 'every node knows every subscriber, as with us'),
      publishMs: hop,
      claimMs: assumed(10, 'the estimate of the plan: P99 of 10 ms, pipelined, with disks that lag'),
      claimsWall: assumed(
        50_000,
        'the lower end of the plan’s estimate: 50,000 to 250,000 writes a second in entries of 1,000',
      ),
      changesWall: assumed(1_000_000, 'the plan’s estimate: a million subscriptions a second, batched'),
      storeBytes: computed(
        'state machines hold sessions and subscriptions in memory',
        [sessionRecords, subscriptionRecords],
        sum,
      ),
      nodeBytes: plainIndex,
      syncs: assumed(
        (1000 / Math.max(1, shared.needed.claims)) * (1000 / intervalMs) * replicas,
        `${replicas} members synchronise every ${intervalMs} ms, whatever came (a synchronisation takes ${syncMs} ms); up to ${intervalMs} ms of claims can be lost`,
      ),
      owners: assumedWords(
        'never, until members lose power together',
        'warn',
        'majority decides, but what was not yet on disk is forgotten',
      ),
      death: assumedWords(
        'messages waiting there',
        'bad',
        'sessions’ owners are replicated, their queues are not',
      ),
      partition: assumedWords('the minority stops', 'warn', 'no majority, no claims'),
      wildcards: assumedWords('all', 'good', 'every node has a tree of all filters'),
      parts: assumedWords('brokers', 'good', 'consensus is inside the brokers'),
      effort: assumed(20, 'the plan’s estimate, with an existing Raft library'),
    },
  )
}

function consistentHashing(shared: SharedCosts): Architecture {
  const { connectsOfNodes, hop, rumourMs, rumoursPerSecond, plainIndex } = shared
  return model(
    shared,
    'hashing + gossip',
    'A client id’s place on a ring is its node; subscriptions by memberlist; state on three nodes by quorum.',
    Infinity,
    {
      spreadP99: rumourMs,
      publishHops: assumed(
        2,
        'a client that a balancer sends to another node than its own is relayed; one hop more to the subscriber',
      ),
      publishMs: computed('two hops', [hop, assumed(2, 'hops, as above')], product),
      claimMs: computed(
        'two of three replicas answer',
        [shared.roundTrip, assumed(10, 'P99 is ten times the round trip')],
        product,
      ),
      claimsWall: connectsOfNodes,
      changesWall: rumoursPerSecond,
      storeBytes: assumed(0, 'nothing central'),
      nodeBytes: plainIndex,
      syncs: assumed(2_000, 'two of three replicas write each claim to disk before it counts'),
      owners: assumedWords(
        'whenever nodes see different rings',
        'bad',
        'a ring follows from who is believed alive, which is not the same everywhere at once',
      ),
      death: assumedWords('little: two replicas are left', 'good', 'state is written to two of three nodes'),
      partition: assumedWords(
        'both sides serve every client',
        'bad',
        'each side’s ring names an owner of its own',
      ),
      wildcards: assumedWords('all', 'good', 'every node has a tree of all filters'),
      parts: assumedWords('brokers', 'good', 'nothing else'),
      effort: assumed(16, 'the plan’s estimate: 3 to 4 months'),
    },
    shared.neededAtHome,
  )
}

function kafka(shared: SharedCosts): Architecture {
  const { plan, connectsOfNodes, hop, roundTrip, plainIndex, sessionRecords, subscriptionRecords } = shared
  const { replicas } = plan.compare
  return model(
    shared,
    'Kafka',
    'Every change of state is an event in Kafka; each broker rebuilds its view by reading all of them.',
    Infinity,
    {
      spreadP99: computed(
        'written to all replicas, then read by every node',
        [
          roundTrip,
          assumed(
            40,
            'P99 is forty times a round trip: replication, batching at both ends, fetches that wait',
          ),
        ],
        product,
      ),
      publishHops: assumed(2, 'to Kafka, and from it'),
      publishMs: computed(
        'two hops and the replication between them',
        [hop, roundTrip, assumed(2, 'hops, as above')],
        (one, trip, hops) => one * hops + trip,
      ),
      claimMs: computed('an event to all replicas', [roundTrip, assumed(40, 'as a subscription')], product),
      claimsWall: connectsOfNodes,
      changesWall: assumed(
        500_000,
        'a broker of ours reads and applies half a million events a second with one core',
      ),
      storeBytes: computed(
        `compacted topics, ${replicas} copies`,
        [sessionRecords, subscriptionRecords, assumed(replicas, `${replicas} copies`)],
        (sessions, subscriptions, copies) => (sessions + subscriptions) * copies,
      ),
      nodeBytes: plainIndex,
      syncs: assumed(0, 'Kafka leaves synchronising to the system and relies on its copies'),
      owners: assumedWords(
        'while a group rebalances',
        'warn',
        'a consumer that was paused believes in its partitions until it next asks',
      ),
      death: assumedWords('nothing that is in the log', 'good', 'all state is in Kafka'),
      partition: assumedWords('who cannot reach Kafka stops', 'warn', 'no state without the log'),
      wildcards: assumedWords('all', 'good', 'every node has a tree of all filters'),
      parts: assumedWords('brokers, Kafka and its controllers', 'bad', 'two clusters, each with its tuning'),
      effort: assumed(24, 'the plan’s estimate: 4 to 6 months'),
    },
  )
}

function redis(shared: SharedCosts): Architecture {
  const { plan, filters, hop, roundTrip, sessionRecords, connectsOfNodes } = shared
  const { workload, limits } = plan
  const shards = 6
  const retained = workload.clients * workload.retainedPerClient
  const mean =
    (1 - workload.retainedLargeShare) * workload.retainedSmallBytes +
    workload.retainedLargeShare * workload.retainedLargeBytes
  const operations = assumed(
    100_000 * shards,
    `${shards} shards of 100,000 simple operations a second, Redis’s own benchmark`,
  )
  return model(
    shared,
    'Redis Cluster',
    'Sessions in hashes, subscriptions as channels of Redis’s own publish and subscribe, retained messages as strings.',
    limits.memoryPerNodeGb * 1e9 * shards,
    {
      spreadP99: computed('a command', [roundTrip, assumed(5, 'P99 is five times a round trip')], product),
      publishHops: assumed(2, 'to Redis, and from it; in a cluster every shard is told as well'),
      publishMs: computed('two hops', [hop, assumed(2, 'hops, as above')], product),
      claimMs: computed('a script', [roundTrip, assumed(5, 'P99 is five times a round trip')], product),
      claimsWall: computed('whichever is full first', [operations, connectsOfNodes], Math.min),
      changesWall: operations,
      storeBytes: computed(
        'all of it in memory: sessions, a channel per filter and node, retained messages',
        [
          sessionRecords,
          assumed(filters * 200, 'a channel takes 200 B'),
          assumed(retained * (mean + 100), 'a retained message takes 100 B beside its payload'),
        ],
        sum,
      ),
      nodeBytes: assumed(0, 'nodes ask Redis'),
      syncs: assumed(
        (1000 / Math.max(1, shared.needed.claims)) * shards * 2,
        'each shard and its replica synchronise once a second',
      ),
      owners: assumedWords(
        'after a failover',
        'bad',
        'replication is asynchronous: an acknowledged claim can be forgotten',
      ),
      death: assumedWords('messages waiting there', 'bad', 'queues are on the node’s disk alone'),
      partition: assumedWords(
        'writes are lost',
        'bad',
        'masters on the minority’s side take writes until they notice',
      ),
      wildcards: assumedWords(
        'no: exact channels only',
        'bad',
        'patterns of Redis are tried one by one and know no levels',
      ),
      parts: assumedWords('brokers, 6 Redis', 'warn', '3 masters with a replica each at least'),
      effort: assumed(12, 'the plan’s estimate: 2 to 3 months'),
    },
  )
}

function pureGossip(shared: SharedCosts): Architecture {
  const { hop, rumourMs, rumoursPerSecond, plainIndex } = shared
  return model(
    shared,
    'pure gossip',
    'No coordination at all: owners by last write, subscriptions as a replicated data type, everything by gossip.',
    Infinity,
    {
      spreadP99: rumourMs,
      publishHops: assumed(1, 'every node knows every subscriber, as with us'),
      publishMs: hop,
      claimMs: assumed(0.001, 'nobody is asked'),
      // A claim is a rumour like any other.
      claimsWall: rumoursPerSecond,
      changesWall: rumoursPerSecond,
      storeBytes: assumed(0, 'nothing central'),
      nodeBytes: computed(
        'filters with the clocks that merge them',
        [plainIndex, assumed(2, 'a version vector is as large as the filter')],
        product,
      ),
      syncs: assumed(1_000, 'the node writes its own'),
      owners: assumedWords(
        'for as long as a rumour takes',
        'bad',
        'the last write wins once everybody has heard of it',
      ),
      death: assumedWords('messages waiting there', 'bad', 'queues are on the node’s disk alone'),
      partition: assumedWords(
        'both sides serve every client',
        'bad',
        'nothing forbids it; merging drops one side’s sessions',
      ),
      wildcards: assumedWords('all', 'good', 'every node has a tree of all filters'),
      parts: assumedWords('brokers', 'good', 'nothing else'),
      effort: assumed(32, 'the plan’s estimate: 6 to 8 months'),
    },
  )
}

function sum(...values: number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function product(...values: number[]): number {
  return values.reduce((total, value) => total * value, 1)
}
