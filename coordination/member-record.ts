import { isNodeId, type Incarnation, type NodeId } from '../src/core/ids.ts'
import type { Member, MemberDescription, MemberLoad, MemberState } from '../src/core/ports/membership.ts'

const STATES: readonly MemberState[] = ['joining', 'ready', 'draining']
const ADDRESSES_MAX = 64

/** The value of a member key: the description as JSON, so that `etcdctl get` shows it. */
export function encodeMember(description: MemberDescription): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(description))
}

/** Undefined when the value is not a member description; other fields than ours are ignored. */
export function decodeMember(
  nodeId: NodeId,
  incarnation: Incarnation,
  value: Uint8Array,
): Member | undefined {
  const fields = parseRecord(value)
  if (fields === undefined || !isNodeId(nodeId)) return undefined
  const { peerId, addresses, state, version, mqttAddress, adminUrl, startedAtMs } = fields
  if (typeof peerId !== 'string' || typeof version !== 'string' || typeof mqttAddress !== 'string')
    return undefined
  if (typeof adminUrl !== 'string' || typeof startedAtMs !== 'number') return undefined
  if (!isAddressList(addresses)) return undefined
  const known = STATES.find(candidate => candidate === state)
  if (known === undefined) return undefined
  const { dataDirId, claimedEpoch, health } = fields
  return {
    ...{ nodeId, incarnation, peerId, addresses, state: known, version, mqttAddress, adminUrl, startedAtMs },
    ...(typeof dataDirId === 'string' ? { dataDirId } : {}),
    ...(typeof claimedEpoch === 'number' ? { claimedEpoch } : {}),
    ...(isLoad(fields['load']) ? { load: fields['load'] } : {}),
    ...(typeof health === 'string' ? { health } : {}),
  }
}

function isLoad(value: unknown): value is MemberLoad {
  if (typeof value !== 'object' || value === null) return false
  const { connections, sessions, subscriptions } = value as Readonly<Record<string, unknown>>
  return [connections, sessions, subscriptions].every(count => Number.isSafeInteger(count))
}

function isAddressList(value: unknown): value is string[] {
  return (
    Array.isArray(value) && value.length <= ADDRESSES_MAX && value.every(item => typeof item === 'string')
  )
}

/** The fields of a JSON object; undefined for anything else. */
export function parseRecord(value: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(value))
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
