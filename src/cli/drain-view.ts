import type { DrainStatusView } from '../admin/control-schemas.ts'

/** What is still to do, in one line. */
export function renderDrainProgress(status: DrainStatusView): string {
  const { nodeId, connections, sessions, sessionsMoved, clientsAsked, waitingFor } = status
  return (
    `${nodeId} to drain: ${connections} clients connected, ${sessions} sessions left; ` +
    `${clientsAsked} clients asked to go, ${sessionsMoved} sessions handed over` +
    (waitingFor === null ? '' : `; it waits for ${waitingFor}`)
  )
}

/** `grapevine drain` for people, at its end. */
export function renderDrain(status: DrainStatusView): string {
  const { nodeId, state, clientsAsked, sessionsMoved, offersRefused, messagesForGone } = status
  if (state === 'idle') return `${nodeId} is not draining: it takes clients`
  const done =
    `${clientsAsked} clients asked to go, ${sessionsMoved} sessions handed over` +
    (offersRefused === 0 ? '' : ` (${offersRefused} offers had to be repeated)`)
  if (state === 'draining') return `${nodeId} is draining: ${done}`
  return (
    `${nodeId} is drained: ${done}; it may be stopped, or take clients again with --cancel` +
    (messagesForGone === 0
      ? ''
      : `\nits disk still has ${messagesForGone} messages for nodes that are gone: keep it until they are back`)
  )
}
