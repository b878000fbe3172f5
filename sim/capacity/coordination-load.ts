/**
 * What sessions cost the coordination store: counted from what a claim, a release and a compaction write, per way of
 * reconnecting. Pure arithmetic; sizes come from the codecs and keys production uses.
 */
import { CoordinationKeys } from '../../coordination/keys.ts'
import { COMPACTION_INTERVAL_MS, KEPT_HISTORY_MS } from '../../coordination/leader-compaction.ts'
import { LOAD_REPORT_INTERVAL_MS } from '../../coordination/load-report.ts'
import { encodeOwnership } from '../../coordination/session-record.ts'
import type { Constants } from '../constants/constants.ts'
import type { Workload } from './capacity-plan.ts'
import { clientName } from './filter-names.ts'

/**
 * How clients come back: to the node that holds their session, which writes nothing if it outlives connections · anywhere, once
 * in `reconnectMinutes` · anywhere, once in `stormMinutes`.
 */
export const reconnectProfiles = ['sticky', 'hourly', 'storm'] as const
export type ReconnectProfile = (typeof reconnectProfiles)[number]

export interface CoordinationLoad {
  readonly connectsPerSecond: number
  /** Of those, to another node than before. */
  readonly movesPerSecond: number
  readonly claimsPerSecond: number
  /** Records deleted, of sessions that end with their connection. */
  readonly releasesPerSecond: number
  /** Of database that must be kept until it is compacted, per hour of rewriting, and at most at once. */
  readonly historyBytesPerHour: number
  readonly historyBytes: number
  readonly databaseBytes: number
  readonly memoryBytes: number
}

export interface StoreFigures {
  readonly records: number
  /** Of one record as written, key and value. */
  readonly recordBytes: number
  /** On a lease: members and the leader. No session is. */
  readonly leaseKeys: number
  /** Changes of member keys that all nodes together are told. */
  readonly watchEventsPerSecond: number
  /** Least time in which claims take over what a dead node owned. */
  readonly deathTakeoverSeconds: number
}

export function coordinationLoad(
  workload: Workload,
  profile: ReconnectProfile,
  { values }: Constants,
): CoordinationLoad {
  const { clients, nodes, persistentShare } = workload
  const minutes = profile === 'storm' ? workload.stormMinutes : workload.reconnectMinutes
  const connectsPerSecond = clients / (minutes * 60)
  const movesPerSecond = profile === 'sticky' ? 0 : (connectsPerSecond * (nodes - 1)) / nodes
  const clean = connectsPerSecond * (1 - persistentShare)
  const claimsPerSecond = movesPerSecond * persistentShare + clean
  const releasesPerSecond = clean
  const revisionBytes = values['etcd.bytesPerRecordOnDisk'].value
  const historyBytesPerSecond = (claimsPerSecond + releasesPerSecond) * revisionBytes
  const historyBytes = (historyBytesPerSecond * (KEPT_HISTORY_MS + COMPACTION_INTERVAL_MS)) / 1000
  return {
    connectsPerSecond,
    movesPerSecond,
    claimsPerSecond,
    releasesPerSecond,
    historyBytesPerHour: historyBytesPerSecond * 3600,
    historyBytes,
    databaseBytes: clients * revisionBytes + historyBytes,
    memoryBytes: clients * values['etcd.bytesPerRecordInMemory'].value,
  }
}

/** `claimsPerSecond` is what the store can take. */
export function storeFigures({ clients, nodes }: Workload, claimsPerSecond: number): StoreFigures {
  return {
    records: clients,
    recordBytes: recordBytes(),
    leaseKeys: nodes + 1,
    watchEventsPerSecond: (nodes * nodes * 1000) / LOAD_REPORT_INTERVAL_MS,
    deathTakeoverSeconds: clients / nodes / claimsPerSecond,
  }
}

/** Of a moved session, as its claim writes it. */
function recordBytes(): number {
  const value = encodeOwnership({
    node: 'node-12',
    incarnation: 123_456_789,
    epoch: 1,
    tokenRevision: 0,
    nonce: '0123456789abcdef',
    expiry: 86_400,
    how: 'moved',
    from: 'node-7',
    sinceMs: 1_800_000_000_000,
  })
  return new CoordinationKeys('mesh').session(clientName(0)).length + value.length
}
