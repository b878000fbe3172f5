/**
 * The cluster's subscription mode as it stands in the coordination store, and what nodes acknowledge of a switch.
 *
 * Pure: decodes, encodes, and says which record follows which. Invariant: the epoch rises by one with every record, so that
 * an acknowledgement of one phase is never taken for one of another.
 */
import type { NodeId } from '../src/core/ids.ts'
import type {
  FeedPlan,
  PastSwitch,
  SubscriptionMode,
  SwitchPhase,
} from '../src/core/ports/subscription-mode.ts'
import { parseRecord } from './member-record.ts'

export const SWITCH_PHASES: readonly SwitchPhase[] = ['write-both', 'compare', 'cut-over', 'stop-old']
const MODES: readonly SubscriptionMode[] = ['gossip', 'etcd']
const LIVES_MAX = 4096

/** A switch as it is recorded. */
export interface RecordedSwitch {
  readonly from: SubscriptionMode
  readonly to: SubscriptionMode
  readonly phase: SwitchPhase
  /** Wall clock ms. */
  readonly startedAtMs: number
  readonly phaseAtMs: number
  readonly requestedBy: NodeId
  /** Lives, as `<node>/<incarnation>`, that were members when the phase began. */
  readonly lives: readonly string[]
}

export interface ModeRecord {
  readonly mode: SubscriptionMode
  readonly epoch: number
  readonly current: RecordedSwitch | undefined
  readonly last: PastSwitch | undefined
}

/** What a life has done of the phase with that epoch. */
export interface ModeAck {
  readonly epoch: number
  readonly compared: readonly string[]
  readonly fault: string | undefined
}

export function encodeMode(record: ModeRecord): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(record))
}

export function encodeAck(ack: ModeAck): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(ack))
}

/** Undefined when the value is not a mode record; other fields than ours are ignored. */
export function decodeMode(value: Uint8Array): ModeRecord | undefined {
  const { mode, epoch, current, last } = parseRecord(value) ?? {}
  if (!isMode(mode) || !isCount(epoch)) return undefined
  const under = current === undefined ? undefined : decodeSwitch(current)
  if (current !== undefined && (under === undefined || under.from !== mode)) return undefined
  return { mode, epoch, current: under, last: decodePast(last) }
}

export function decodeAck(value: Uint8Array): ModeAck | undefined {
  const { epoch, compared, fault } = parseRecord(value) ?? {}
  if (!isCount(epoch) || !isTexts(compared)) return undefined
  if (fault !== undefined && typeof fault !== 'string') return undefined
  return { epoch, compared, fault }
}

/** What a record asks of a node. */
export function planOf({ mode, current }: ModeRecord): FeedPlan {
  if (current === undefined) return { writes: [mode], reads: [mode], compares: undefined }
  const { from, to, phase } = current
  const both = [from, to]
  switch (phase) {
    case 'write-both':
      return { writes: both, reads: [from], compares: undefined }
    case 'compare':
      return { writes: both, reads: [from], compares: to }
    case 'cut-over':
      return { writes: both, reads: both, compares: undefined }
    case 'stop-old':
      return { writes: [to], reads: both, compares: undefined }
  }
}

export function beginSwitch(
  before: ModeRecord,
  by: { readonly to: SubscriptionMode; readonly nodeId: NodeId; readonly lives: readonly string[] },
  nowMs: number,
): ModeRecord {
  const { mode: from, epoch, last } = before
  const { to, nodeId: requestedBy, lives } = by
  const phase = 'write-both'
  const current = { from, to, phase, startedAtMs: nowMs, phaseAtMs: nowMs, requestedBy, lives } as const
  return { mode: from, epoch: epoch + 1, current, last }
}

/** The record after a phase that every member of `lives` has done. */
export function nextPhase(
  before: ModeRecord,
  current: RecordedSwitch,
  lives: readonly string[],
  nowMs: number,
): ModeRecord {
  const phase = SWITCH_PHASES[SWITCH_PHASES.indexOf(current.phase) + 1]
  if (phase === undefined) return ended(before, current, undefined, nowMs)
  return { ...before, epoch: before.epoch + 1, current: { ...current, phase, phaseAtMs: nowMs, lives } }
}

/** The record after a switch was given up. Never of one in `stop-old`: the old feed is not complete any more. */
export function aborted(
  before: ModeRecord,
  current: RecordedSwitch,
  reason: string,
  nowMs: number,
): ModeRecord {
  if (current.phase === 'stop-old') throw new Error('a switch was given up after its old feed had stopped')
  return ended(before, current, reason, nowMs)
}

function ended(
  { epoch }: ModeRecord,
  { from, to, startedAtMs }: RecordedSwitch,
  reason: string | undefined,
  endedAtMs: number,
): ModeRecord {
  const outcome = reason === undefined ? 'switched' : 'aborted'
  const last = { epoch: epoch + 1, from, to, outcome, reason, startedAtMs, endedAtMs } as const
  return { mode: reason === undefined ? to : from, epoch: epoch + 1, current: undefined, last }
}

function decodeSwitch(value: unknown): RecordedSwitch | undefined {
  if (!isFields(value)) return undefined
  const { from, to, phase: name, startedAtMs, phaseAtMs, requestedBy, lives } = value
  const phase = SWITCH_PHASES.find(candidate => candidate === name)
  if (!isMode(from) || !isMode(to) || phase === undefined || from === to) return undefined
  if (!isTime(startedAtMs) || !isTime(phaseAtMs)) return undefined
  if (typeof requestedBy !== 'string' || !isTexts(lives)) return undefined
  return { from, to, phase, startedAtMs, phaseAtMs, requestedBy, lives }
}

function decodePast(value: unknown): PastSwitch | undefined {
  if (!isFields(value)) return undefined
  const { epoch, from, to, outcome, reason, startedAtMs, endedAtMs } = value
  if (!isCount(epoch) || !isMode(from) || !isMode(to) || !isTime(startedAtMs) || !isTime(endedAtMs))
    return undefined
  if (outcome !== 'switched' && outcome !== 'aborted') return undefined
  const why = typeof reason === 'string' ? reason : undefined
  return { epoch, from, to, outcome, reason: why, startedAtMs, endedAtMs }
}

function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function isMode(value: unknown): value is SubscriptionMode {
  return MODES.some(mode => mode === value)
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.length <= LIVES_MAX && value.every(item => typeof item === 'string')
}
