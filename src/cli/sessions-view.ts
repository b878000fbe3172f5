import type { LocalSessionView, SessionDetailsView, SessionPageView } from '../admin/control-schemas.ts'
import { dateTime, duration, printable, table } from './table.ts'

const FOR_EVER = 0xffff_ffff
const HEADER = ['CLIENT ID', 'CONNECTED', 'SUBSCRIPTIONS', 'QUEUED', 'INFLIGHT', 'EXPIRY', 'REMOTE']

/** `grapevine sessions` for people. */
export function renderSessions({ nodeId, sessions, next }: SessionPageView, nowMs: number): string {
  const rows = sessions.map(session => [
    session.clientId,
    presence(session, nowMs),
    String(session.subscriptions),
    String(session.queued),
    String(session.inflight),
    expiry(session.expiryIntervalSeconds),
    session.remote ?? '',
  ])
  return [
    `${sessions.length}${next === null ? '' : '+'} sessions of ${nodeId}`,
    ...(rows.length === 0 ? [] : ['', ...table([HEADER, ...rows])]),
    ...(next === null ? [] : ['', `there are more: --limit N shows more at once, --next ${next} goes on`]),
  ].join('\n')
}

/** `grapevine sessions ID` for people. `remark` says what could not be found out. */
export function renderSession(
  details: SessionDetailsView,
  remark: string | undefined,
  nowMs: number,
): string {
  const { owner, local } = details
  const lines: string[][] = []
  if (owner === null) {
    lines.push(['owner', 'none in the coordination store'])
  } else {
    lines.push([
      'owner',
      `${owner.nodeId}, incarnation ${owner.incarnation}${owner.live ? '' : ', which is not a member now'}`,
    ])
    lines.push(['token', `epoch ${owner.token.epoch}, revision ${owner.token.revision}`])
    lines.push(['since', `${dateTime(owner.sinceMs)} UTC (${duration(nowMs - owner.sinceMs)})`])
    lines.push(['how', owner.how + (owner.from === null ? '' : `, from ${owner.from}`)])
    lines.push(['expiry', expiry(owner.expiryIntervalSeconds)])
    lines.push(['record', `${owner.recordBytes} bytes`])
  }
  if (local !== null) {
    lines.push([
      'connected',
      presence(local, nowMs) + (local.remote === null ? '' : `, from ${local.remote}`),
    ])
    lines.push(['subscriptions', String(local.subscriptions)])
    lines.push(['queued', `${local.queued} messages, ${local.inflight} of them in flight`])
    if (owner?.expiryIntervalSeconds !== local.expiryIntervalSeconds)
      lines.push(['expiry now', expiry(local.expiryIntervalSeconds)])
  }
  return [
    `session ${printable(details.clientId)}`,
    ...table(lines.map(([name = '', text = '']) => [`  ${name}`, text])),
    ...(remark === undefined ? [] : ['', remark]),
  ].join('\n')
}

function presence({ connected, disconnectedAtMs }: LocalSessionView, nowMs: number): string {
  if (connected) return 'yes'
  return disconnectedAtMs === null ? 'no' : `no, for ${duration(nowMs - disconnectedAtMs)}`
}

function expiry(seconds: number): string {
  if (seconds === 0) return 'with the connection'
  return seconds === FOR_EVER ? 'never' : duration(seconds * 1000)
}
