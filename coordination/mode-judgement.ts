/**
 * What becomes of a phase of a switch of the subscription mode, by what its members have acknowledged: the leader's whole
 * knowledge of the matter.
 *
 * Pure. Invariant: a phase is passed only when every member has done it, and, for `compare`, has compared every other; a
 * switch whose old feed has begun to stop is never given up.
 */
import type { ModeAck, ModeRecord, RecordedSwitch } from './mode-record.ts'
import { aborted, nextPhase } from './mode-record.ts'

/** A phase that not everybody has done by then is given up, `stop-old` excepted, which is waited for. */
export const PHASE_PATIENCE_MS = 60_000

export interface PhaseEvidence {
  /** Lives that are members now, as `<node>/<incarnation>`. */
  readonly lives: readonly string[]
  /** By life. */
  readonly acks: ReadonlyMap<string, ModeAck>
  /** Since this leader has known the phase. */
  readonly elapsedMs: number
  /** The coordination store takes nothing lasting any more. */
  readonly isStoreFull: boolean
  /** Wall clock. */
  readonly nowMs: number
}

/** The record that is to follow; undefined while there is something to wait for. */
export function judgePhase(
  record: ModeRecord,
  current: RecordedSwitch,
  evidence: PhaseEvidence,
): ModeRecord | undefined {
  const { lives, nowMs } = evidence
  const reason = current.phase === 'stop-old' ? undefined : reasonToAbort(record, current, evidence)
  if (reason !== undefined) return aborted(record, current, reason, nowMs)
  const isDone = unfinished(record, current, evidence).length === 0
  return isDone ? nextPhase(record, current, lives, nowMs) : undefined
}

function reasonToAbort(
  record: ModeRecord,
  current: RecordedSwitch,
  evidence: PhaseEvidence,
): string | undefined {
  const { lives, acks, elapsedMs, isStoreFull } = evidence
  const missing = current.lives.filter(life => !lives.includes(life))
  if (missing.length > 0) return `${nodesOf(missing)} left during ${current.phase}`
  for (const [life, { epoch, fault }] of acks) {
    if (epoch === record.epoch && fault !== undefined && lives.includes(life))
      return `${nodesOf([life])}: ${fault}`
  }
  if (current.to === 'etcd' && isStoreFull) return 'the coordination store is nearly full (quota)'
  const late = unfinished(record, current, evidence)
  if (elapsedMs < PHASE_PATIENCE_MS || late.length === 0) return undefined
  return `${nodesOf(late)} did not finish ${current.phase} within ${PHASE_PATIENCE_MS / 1000} s`
}

function unfinished(
  { epoch }: ModeRecord,
  { phase }: RecordedSwitch,
  { lives, acks }: PhaseEvidence,
): readonly string[] {
  return lives.filter(life => {
    const ack = acks.get(life)
    if (ack?.epoch !== epoch) return true
    return phase === 'compare' && lives.some(other => other !== life && !ack.compared.includes(other))
  })
}

function nodesOf(lives: readonly string[]): string {
  return lives.map(life => life.slice(0, life.lastIndexOf('/'))).join(', ')
}
