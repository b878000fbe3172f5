import type { InterestExchange } from '../../gossip/interest-exchange.ts'
import type { RetainedSync } from '../../routing/retained-sync.ts'
import type { Member } from '../core/ports/membership.ts'
import type { ReadinessCheck } from '../core/ports/node-status.ts'

/** Of a broker's life, in this order. */
export type Phase = 'new' | 'joining' | 'serving' | 'stopping'

interface BrokerView {
  /** It may act for its clients. */
  readonly isOwner: boolean
  /** It may without its lease: the other members promise to take nothing. */
  readonly isPromised: boolean
  readonly phase: Phase
  /** Members it has no link with. */
  readonly unlinked: readonly Member[]
  readonly interest: Pick<InterestExchange, 'missing' | 'unheard'>
  readonly retained: Pick<RetainedSync, 'isSynchronized' | 'clockComplaints'>
  /** Members beside this one. */
  readonly othersCount: number
  /** Why the coordination store refuses what this node needs; undefined while it does not. */
  readonly storeRefusal: string | undefined
  /** Undefined while the local store takes writes. */
  readonly storeError: string | undefined
}

/** What must be well for a broker to take clients, and how it is, for operators. */
export function brokerReadiness({
  isOwner,
  isPromised,
  phase,
  unlinked,
  interest,
  retained,
  othersCount,
  storeRefusal,
  storeError,
}: BrokerView): ReadinessCheck[] {
  const isServing = phase === 'serving'
  const { missing, unheard } = interest
  return [
    {
      name: 'coordination',
      ok: isOwner && storeRefusal === undefined,
      detail: coordinationDetail(isOwner, isPromised, storeRefusal),
    },
    {
      name: 'mesh',
      ok: isServing || unlinked.length === 0,
      detail: unlinked.length === 0 ? 'linked with every member' : `no link with ${names(unlinked)}`,
    },
    {
      name: 'interest',
      ok: isServing,
      detail: isServing
        ? 'subscriptions exchanged with every member'
        : `waiting for the subscriptions of [${missing.join(', ')}], for [${unheard.join(', ')}] to confirm ours`,
    },
    {
      name: 'retained',
      ok: isServing || retained.isSynchronized,
      detail: retained.isSynchronized
        ? 'retained messages compared with every member'
        : 'retained messages are still being compared with other members',
    },
    clockCheck(retained.clockComplaints, othersCount),
    { name: 'storage', ok: storeError === undefined, detail: storeError ?? 'writable' },
    {
      name: 'listeners',
      ok: isServing,
      detail: isServing ? 'serving clients' : `not serving clients: ${phase}`,
    },
  ]
}

/** Who is refused by most others has the wrong clock; who is refused by few is not to blame (PROTOCOLS section 9). */
function clockCheck(complaints: RetainedSync['clockComplaints'], othersCount: number): ReadinessCheck {
  const words = complaints.map(({ nodeId, aheadMs }) => `${aheadMs} ms ahead of ${nodeId}`).join(', ')
  const ok = complaints.length * 2 <= othersCount
  const detail = ok
    ? `as the others have it${words === '' ? '' : ` (but ${words})`}`
    : `the clock of this machine is ${words}, which refuse what is retained here: set it right (NTP)`
  return { name: 'clock', ok, detail }
}

function coordinationDetail(isOwner: boolean, isPromised: boolean, refusal: string | undefined): string {
  if (refusal !== undefined)
    return `the coordination store refuses what this node needs, so new sessions are refused: ${refusal}`
  if (!isOwner) return 'no lease: the coordination store does not answer, or the node has not joined'
  if (!isPromised) return 'lease held'
  return 'no lease, but all other members promise to take nothing from this node: clients that are connected go on, new sessions are refused until the coordination store answers'
}

function names(members: readonly Member[]): string {
  return members.map(({ nodeId }) => nodeId).join(', ')
}
