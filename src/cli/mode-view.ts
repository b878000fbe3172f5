import type { ModeStatusView } from '../admin/mode-schemas.ts'
import { dateTime, printable } from './table.ts'

/** What a switch waits for, in one line. */
export function renderModeProgress({ switch: current }: ModeStatusView): string {
  if (current === null) return 'the switch to begin'
  const { from, to, phase, done, members } = current
  const left = members.filter(nodeId => !done.includes(nodeId))
  const waiting = left.length === 0 ? '' : `, not yet ${left.join(', ')}`
  return `${from} → ${to}, ${phase}: ${done.length} of ${members.length} members done${waiting}`
}

/** `grapevine mode get` for people. */
export function renderMode(status: ModeStatusView): string {
  const { mode, epoch, last } = status
  const lines = [`mode ${mode} (epoch ${epoch})`]
  if (status.switch !== null) lines.push(`switching ${renderModeProgress(status)}`)
  if (last !== null) lines.push(`last switch: ${renderPastSwitch(last)}`)
  return lines.join('\n')
}

export function renderPastSwitch(last: NonNullable<ModeStatusView['last']>): string {
  const { from, to, outcome, reason, startedAtMs, endedAtMs } = last
  const seconds = (Math.max(0, endedAtMs - startedAtMs) / 1000).toFixed(1)
  const why = reason === null ? '' : `: ${printable(reason)}`
  return `${from} → ${to} ${outcome} after ${seconds} s, ${dateTime(endedAtMs)} UTC${why}`
}
