import type { LeaderView } from '../admin/control-schemas.ts'
import { dateTime, duration, table } from './table.ts'

type Census = NonNullable<LeaderView['census']>

/** `grapevine leader` for people. */
export function renderLeader(view: LeaderView, nowMs: number): string {
  const { nodeId, leader, term, sinceMs, previous, duties, census } = view
  const now =
    leader === null
      ? 'no node leads; one is elected as soon as one can write to the coordination store'
      : `${leader} leads${term === null ? '' : `, term ${term}`}` +
        (sinceMs === null ? '' : `, since ${dateTime(sinceMs)} UTC (${duration(nowMs - sinceMs)})`)
  const did =
    `${nodeId} as leader since its start: ${duties.sessionsEnded} ended sessions of dead nodes removed, ` +
    `${duties.willsPublished} wills published, ${duties.keysDeleted} keys cleaned up, ` +
    `${duties.compactions} compactions (${duties.compactionsFailed} failed)`
  const rows = previous.map(past => [
    `  ${past.leader}`,
    String(past.term),
    dateTime(past.sinceMs),
    duration(past.untilMs - past.sinceMs),
  ])
  const before = ['', `terms ${nodeId} saw before`, ...table([['  LEADER', 'TERM', 'SINCE', 'FOR'], ...rows])]
  const found = census === null ? [elsewhere(view)] : renderCensus(census, nowMs)
  return [now, did, ...found, ...(rows.length === 0 ? [] : before)].join('\n')
}

function elsewhere({ leader }: LeaderView): string {
  return leader === null
    ? 'sessions per node and the size of the store are known once a node leads'
    : `sessions per node and the size of the store: ask ${leader}`
}

function renderCensus({ sessions, countedAtMs, store, dead }: Census, nowMs: number): string[] {
  const size =
    store === null
      ? 'the coordination store has not told its size yet'
      : `coordination store: ${mebibytes(store.sizeInUseBytes)} in use of ${mebibytes(store.sizeBytes)} on disk` +
        (store.quotaBytes === null ? '' : `, quota ${mebibytes(store.quotaBytes)}`) +
        (store.alarm === null ? '' : `; it takes no writes: ${store.alarm}`)
  const gone = dead.map(
    ({ nodeId, atMs }) =>
      `${nodeId} is dead for ${duration(nowMs - atMs)}; its sessions and wills are in hand`,
  )
  if (sessions === null || countedAtMs === null) return [size, ...gone, 'sessions have not been counted yet']
  const rows = sessions.map(({ nodeId, sessions: count }) => [`  ${nodeId}`, String(count)])
  const title = `sessions in the store, counted ${duration(nowMs - countedAtMs)} ago`
  return [size, ...gone, '', title, ...table([['  NODE', 'SESSIONS'], ...rows])]
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`
}
