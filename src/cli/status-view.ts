import type { NodeStatusView } from '../admin/status-schemas.ts'
import { duration, table } from './table.ts'

const EVENTS_SHOWN = 8

/** `grapevine status` for people: the cluster, its nodes, the clients of the node that answered, what happened last. */
export function renderStatus({ ready, checks, cluster }: NodeStatusView, nowMs: number): string {
  const { local } = cluster
  const header = [
    'NODE',
    'STATE',
    'LEADER',
    'LINK',
    'INTEREST',
    'FILTERS',
    'UPTIME',
    'VERSION',
    'MQTT',
    'ADMIN',
  ]
  const rows = cluster.members.map(member => [
    member.self ? `${member.nodeId} *` : member.nodeId,
    member.state,
    member.leader ? 'leader' : '',
    member.self ? '-' : member.linkUp ? 'up' : 'down',
    member.interestKnown ? 'known' : 'unknown',
    String(member.filters),
    duration(nowMs - member.startedAtMs),
    member.version,
    member.mqttAddress,
    member.adminUrl,
  ])
  const missing = checks.filter(({ ok }) => !ok).map(({ name, detail }) => `  ${name}: ${detail}`)
  const events = cluster.events
    .slice(-EVENTS_SHOWN)
    .map(event => [`  ${clock(event.atMs)}`, event.event, event.nodeId, event.detail])
  return [
    `cluster ${cluster.cluster}, coordination ${cluster.coordination}, leader ${cluster.leader ?? 'none'}, ` +
      `asked ${cluster.nodeId}: ${ready ? 'ready' : 'not ready'}${cluster.suspended ? ', SUSPENDED' : ''}`,
    ...missing,
    '',
    ...table([header, ...rows]),
    '',
    `${cluster.nodeId}: ${local.connections} clients connected, ${local.sessions} sessions with ${local.queued} messages, ` +
      `${local.subscriptions} subscriptions, ${local.filters} filters`,
    ...(events.length === 0 ? [] : ['', 'last events', ...table(events)]),
  ].join('\n')
}

function clock(atMs: number): string {
  return new Date(atMs).toISOString().slice(11, 23)
}
