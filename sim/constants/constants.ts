/**
 * What one operation costs on a real machine: the numbers by which simulated clusters and capacity calculations are scaled.
 * `grapevine sim calibrate` measures them anew; whoever reports a result that rests on one says where it came from.
 */
import shipped from './constants.json' with { type: 'json' }

/** Every constant with its unit, and what it is the cost of. */
export const constantMeanings = {
  'gossip.hopMsP50': 'ms, from publish to a neighbour’s handler, two nodes otherwise idle, median',
  'gossip.hopMsP99': 'ms, the same, 99th percentile',
  'gossip.cpuUsPerSend':
    'µs of CPU to send one copy of a gossip message to one neighbour, the process being awake',
  'gossip.cpuUsPerReceive':
    'µs of CPU to receive and handle one copy of a gossip message, the process being awake',
  'gossip.cpuUsPerChange':
    'µs of CPU of a node for a change it hears of, beside what messages and waking up cost: its own steps, in code that runs rarely',
  'gossip.pauseMsPerNode':
    'ms for which a process stops at a time, a tenth of the time, for each node in it: what makes subscriptions late on real nodes',
  'stream.hopMsP50': 'ms, from send to the handler at the other end of a link, otherwise idle, median',
  'stream.hopMsP99': 'ms, the same, 99th percentile',
  'stream.cpuUsPerFrame':
    'µs of CPU at each end for a small frame that travels alone, the process being awake',
  'stream.megabytesPerSecond': 'MB/s through one link, large chunks, one core at each end',
  'etcd.writeMsP50': 'ms, one transaction at low load, median',
  'etcd.writeMsP99': 'ms, the same, 99th percentile',
  'etcd.claimsPerSecondSingle': 'claims/s, a transaction each',
  'etcd.claimsPerSecondBatched': 'claims/s, in nested transactions of up to 120',
  'etcd.putsPerSecond': 'puts/s of small keys, one client with many requests under way',
  'etcd.watchEventsPerSecond': 'events/s that one watcher receives and decodes',
  'etcd.bytesPerRecordInMemory': 'bytes of etcd’s memory per session record',
  'etcd.bytesPerRecordOnDisk': 'bytes of etcd’s database per session record, one revision',
  'node.cpuUsPerWake': 'µs of CPU to begin work in a process that had none: waking up, cold caches',
  'node.cpuUsIdlePerSecond': 'µs of CPU per second of a node without clients, in a process of its own',
  'node.cpuUsPerPublish':
    'µs of CPU for one QoS 0 PUBLISH of 256 B read, decoded and matched, many of them in one read of the socket',
  'node.cpuUsPerPublishAlone':
    'µs of CPU for one that comes alone, a read of its own: many clients that each publish rarely',
  'node.cpuUsPerDelivery':
    'µs of CPU for one delivery of it to a local subscriber, many of them in one write to the socket',
  'node.cpuUsPerDeliveryAlone': 'µs of CPU for one delivery that leaves alone, a write of its own',
  'node.cpuUsPerForwardOut': 'µs of CPU at the ingress for one forward of it to one peer',
  'node.cpuUsPerForwardOutAlone':
    'µs of CPU at the ingress for one forward that leaves alone, an encrypted chunk of its own',
  'node.cpuUsPerForwardIn': 'µs of CPU at the receiver for one forward of it, without the delivery',
  'node.cpuUsPerForwardInAlone':
    'µs of CPU at the receiver for one forward that comes alone, without the delivery',
  'node.cpuUsPerConnect':
    'µs of CPU for one CONNECT of a clean session with one subscription, claim included',
  'node.cpuUsPerMove': 'µs of CPU, both nodes together, for one session that moves with ten subscriptions',
  'node.bytesPerIdleClient': 'bytes of resident memory per connected client with one subscription',
  'node.bytesPerSubscription':
    'bytes of heap per further subscription, in its session and in the local index',
  'node.bytesPerRemotePattern': 'bytes of heap per wildcard filter or group known of one other node',
  'node.bytesPerRemotePatternNode': 'bytes of heap per further node with the same one',
  'node.bytesPerRetained': 'bytes of memory per retained message beside its payload',
  'node.bytesPerQueuedMessage': 'bytes of memory per message waiting in a session, beside its payload',
  'node.cpuUsPerAppliedChange': 'µs of CPU to apply one remote change of subscription, decoding included',
  'disk.bytesPerSession': 'bytes on a node’s disk per persistent session with one subscription',
  'disk.bytesPerSubscription': 'bytes on a node’s disk per further subscription of such a session',
  'disk.bytesPerQueuedMessage': 'bytes on a node’s disk per queued message of 256 B',
} as const

export type ConstantName = keyof typeof constantMeanings

export interface Constant {
  readonly value: number
  /** How it was obtained: `measured` by calibrate on some machine, or `assumed`, for the reason given in `how`. */
  readonly origin: 'measured' | 'assumed'
  readonly how: string
}

export interface Constants {
  /** ISO date of the calibration. */
  readonly measuredOn: string
  /** Processor, cores, Node and etcd versions. */
  readonly machine: string
  readonly values: Readonly<Record<ConstantName, Constant>>
}

/** Those that come with this version. */
export const shippedConstants: Constants = shipped as Constants
