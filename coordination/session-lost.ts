import type { ClientId } from '../src/core/ids.ts'
import type { CoordinationStore } from '../src/core/ports/coordination-store.ts'
import type { CoordinationKeys, LifeName } from './keys.ts'
import type { OwnedSession } from './session-readback.ts'

/**
 * Which of the sessions a life owns were taken from it while it was not registered: claims against a dead life say so in
 * `lost/`, in their own transaction. Sessions it has won back since are its own. Rejects with COORDINATION_UNAVAILABLE.
 */
export async function findTaken(
  store: CoordinationStore,
  keys: CoordinationKeys,
  life: LifeName,
  owned: readonly OwnedSession[],
): Promise<ClientId[]> {
  const prefix = keys.lostOf(life.nodeId, life.incarnation)
  const { entries } = await store.range(prefix)
  if (entries.length === 0) return []
  const takenAt = new Map(entries.map(({ key, modRevision }) => [key.slice(prefix.length), modRevision]))
  const isTaken = ({ clientId, token }: OwnedSession): boolean =>
    (takenAt.get(clientId) ?? 0) > token.revision
  return owned.filter(isTaken).map(({ clientId }) => clientId)
}
