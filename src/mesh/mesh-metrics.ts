import type { Libp2pPeerTransport } from './libp2p-peer-transport.ts'
import type { Metric } from '../core/ports/node-status.ts'

/** What it takes to keep the links with the other members. */
export function meshMetrics({ stats }: Pick<Libp2pPeerTransport, 'stats'>): Metric[] {
  const counter = (name: string, help: string, read: () => number): Metric => ({
    name: `mesh_${name}_total`,
    type: 'counter',
    help,
    read,
  })
  return [
    counter('dials', 'Attempts of this node to link with another member.', () => stats.dials),
    counter('dials_failed', 'Those that failed.', () => stats.dialsFailed),
    counter(
      'links_lost',
      'Links with members that went down, other than by this node’s will.',
      () => stats.linksLost,
    ),
  ]
}
