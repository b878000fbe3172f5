import type { NodesView } from '../admin/control-schemas.ts'
import { duration, printable, table } from './table.ts'

const HEADER = [
  'NODE',
  'STATE',
  'LEADER',
  'LINK',
  'INTEREST',
  'FILTERS',
  'CLIENTS',
  'SESSIONS',
  'UPTIME',
  'INCARNATION',
  'VERSION',
  'MQTT',
  'ADMIN',
]

/** `grapevine nodes` for people; `*` marks the node that answered. */
export function renderNodes({ cluster, nodeId, nodes }: NodesView, nowMs: number): string {
  const rows = nodes.map(node => [
    node.self ? `${node.nodeId} *` : node.nodeId,
    node.suspended ? `${node.state}, suspended` : node.state,
    node.leader ? 'leader' : '',
    node.self ? '-' : node.linkUp ? 'up' : 'down',
    node.interestKnown ? 'known' : 'unknown',
    String(node.filters),
    node.load === null ? '?' : String(node.load.connections),
    node.load === null ? '?' : String(node.load.sessions),
    duration(nowMs - node.startedAtMs),
    String(node.incarnation),
    node.version,
    node.mqttAddress,
    node.adminUrl,
  ])
  const ailing = nodes.flatMap(node =>
    node.health === null ? [] : [`${node.nodeId}: ${printable(node.health)}`],
  )
  return [
    `cluster ${cluster}, asked ${nodeId}`,
    '',
    ...table([HEADER, ...rows]),
    ...(ailing.length === 0 ? [] : ['', ...ailing]),
  ].join('\n')
}
