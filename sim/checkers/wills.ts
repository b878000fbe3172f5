import type { ConnectionRecord } from '../clients/history.ts'
import { type Checker, type Outcome, seconds, type Span, type Violation } from './checker.ts'

/** From the end of a delay to the watcher, when nothing is wrong: a few hops, with a message lost and sent again. */
const PROMPT_MS = 5000
/** One and a half times the clients' keep-alive: when a broker takes note of one that left without closing. */
const SILENCE_MS = 45_000
/**
 * After a fault that may have taken a node: its lease (10 s), the lease of a leader that died too and the next one's attempt
 * (12 s), the grace for its return (3 s), nodes that do not accept at first (10 s) and the leader's next attempt (30 s).
 */
const AFTER_FAULT_MS = 65_000
/** For the store to hear that a client said DISCONNECT, so that its will is gone wherever it was kept. */
const TOLD_MS = 1000
/** However many faults follow on another: each lasts less than half a minute, and in between somebody leads. */
const LATEST_MS = 600_000

/**
 * Invariant 11: a will comes in time after its connection was lost, and not before its delay is over; it never comes if the
 * client said DISCONNECT and the broker read it, or came back to its session within the delay. That it comes once is
 * `exactlyOnce`. The simulator's sessions last longer than any delay.
 *
 * A broker cannot have lost a connection before it last wrote to it, which is when delays begin at the earliest; but where a
 * fault let the others take it for dead, they begin then, and pings may be answered on (PROTOCOLS section 2). They are counted
 * by wall clocks when a will changes hands, so that how far those are apart is allowed for.
 */
export const willsFire: Checker = outcome => {
  const { history, endMs } = outcome
  const got = new Map<string, number>()
  for (const { payload, atMs } of history.deliveries)
    if (payload.startsWith('will:') && !got.has(payload)) got.set(payload, atMs)
  const watched = history.subscriptions.find(
    ({ filter, clientId }) => filter === 'w/+' && clientId === 'will-watch',
  )
  const violations: Violation[] = []
  if (watched === undefined || watched.endedMs !== undefined) return violations
  for (const connection of history.connections) {
    const { will, reasonCode, connackMs, abandonedMs, number } = connection
    if (will === undefined || reasonCode !== 0 || connackMs === undefined) continue
    if ((abandonedMs ?? Infinity) < watched.subackMs) continue
    const gotMs = got.get(will.payload)
    if (gotMs !== undefined) {
      const complaint = whyNotAtAll(outcome, connection, gotMs) ?? whyNotThen(outcome, connection, gotMs)
      if (complaint !== undefined)
        violations.push({ invariant: 11, atMs: gotMs, detail: `${will.payload} came ${complaint}` })
      continue
    }
    if (abandonedMs === undefined || connection.disconnectSentMs !== undefined) continue
    const deadlineMs = latestMs(outcome, connection, abandonedMs)
    const next = nextConnection(history.connections, connection)
    if (deadlineMs < endMs && (next?.connectSentMs ?? Infinity) > deadlineMs) {
      const detail = `${will.payload} had not come by ${seconds(deadlineMs)}, though connection ${number} was lost at ${seconds(abandonedMs)} and its client had not come back`
      violations.push({ invariant: 11, atMs: deadlineMs, detail })
    }
  }
  return violations
}

/** What is wrong with its coming at whatever time. */
function whyNotAtAll(outcome: Outcome, connection: ConnectionRecord, gotMs: number): string | undefined {
  const { number, closedMs, disconnectReadMs } = connection
  if (closedMs === undefined) return `while connection ${number} was open`
  // An older backup has the wills of then, and of nodes of then, which are dead now.
  if (outcome.storeReplacedMs.some(atMs => atMs >= closedMs && atMs <= gotMs)) return undefined
  if (disconnectReadMs !== undefined && wasKnown(outcome, disconnectReadMs, gotMs))
    return `though the broker read the DISCONNECT of connection ${number} at ${seconds(disconnectReadMs)}`
  // Without a delay a later connection, too, ends this one with its will.
  if (connection.will?.delaySeconds === 0) return undefined
  const dueMs = earliestMs(outcome, connection)
  const back = nextConnection(outcome.history.connections, connection)
  if (back === undefined || !back.sessionPresent || (back.connackWrittenMs ?? Infinity) >= dueMs)
    return undefined
  return `though the client of connection ${number} was back at ${seconds(back.connackWrittenMs)}, before ${seconds(dueMs)} when it was due`
}

/** What is wrong with its coming at `gotMs`, if it may come. */
function whyNotThen(outcome: Outcome, connection: ConnectionRecord, gotMs: number): string | undefined {
  const dueMs = earliestMs(outcome, connection)
  if (gotMs < dueMs) return `${seconds(dueMs - gotMs)} s before its delay was over`
  const lostMs = connection.abandonedMs ?? connection.closedMs
  if (lostMs === undefined) return undefined
  const deadlineMs = latestMs(outcome, connection, lostMs)
  return gotMs > deadlineMs
    ? `at ${seconds(gotMs)}, ${seconds(gotMs - deadlineMs)} s after the last moment for one lost at ${seconds(lostMs)}`
    : undefined
}

/**
 * Whether those who may have published a will by `gotMs` had to know of the DISCONNECT that its broker read at `readMs`. They had
 * not if the broker read it when it was dead for them, or a fault kept it from telling the store and took it for dead in the end.
 */
function wasKnown({ disturbed }: Outcome, readMs: number, gotMs: number): boolean {
  if (gotMs <= readMs) return false
  return !disturbed.some(
    ({ fromMs, toMs }) => fromMs <= readMs + TOLD_MS && toMs >= readMs && gotMs <= toMs + AFTER_FAULT_MS,
  )
}

function earliestMs({ disturbed, clockAheadMs }: Outcome, connection: ConnectionRecord): number {
  const { will, connackWrittenMs = 0, lastWrittenMs = 0 } = connection
  const faultsMs = disturbed.filter(({ toMs }) => toMs > connackWrittenMs).map(({ fromMs }) => fromMs)
  const lostMs = Math.min(lastWrittenMs, Math.max(connackWrittenMs, Math.min(...faultsMs)))
  return lostMs + (will?.delaySeconds ?? 0) * 1000 - clockAheadMs
}

function latestMs(
  { disturbed, clockAheadMs }: Outcome,
  { will, isLeftOpen }: ConnectionRecord,
  lostMs: number,
): number {
  const delayMs = (will?.delaySeconds ?? 0) * 1000 + clockAheadMs
  const dueMs = lostMs + delayMs + (isLeftOpen ? SILENCE_MS : 0)
  return Math.min(afterFaults(disturbed, dueMs + PROMPT_MS, delayMs), dueMs + LATEST_MS)
}

/** By when it comes, should the faults until then, each of which may begin the delay anew, have held it up. */
function afterFaults(disturbed: readonly Span[], calmMs: number, delayMs: number): number {
  let deadlineMs = calmMs
  for (const { fromMs, toMs } of disturbed.toSorted((a, b) => a.fromMs - b.fromMs)) {
    if (fromMs <= deadlineMs) deadlineMs = Math.max(deadlineMs, toMs + delayMs + AFTER_FAULT_MS)
  }
  return deadlineMs
}

/** The one the broker accepted next. */
function nextConnection(
  connections: readonly ConnectionRecord[],
  { clientId, number }: ConnectionRecord,
): ConnectionRecord | undefined {
  return connections.find(
    other => other.clientId === clientId && other.number > number && other.reasonCode === 0,
  )
}
