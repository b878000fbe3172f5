import type { HoldersView, RoutesView } from '../admin/routing-schemas.ts'
import { percent } from './explain-view.ts'
import { printable, table } from './table.ts'

const NODE_HEADER = [
  'NODE',
  'INTEREST',
  'INCARNATION',
  'CHANGE',
  'PATTERNS',
  'EXACT',
  'TABLE',
  'SET',
  'LOAD',
  'ESTIMATED',
  'FALSE POSITIVES',
]
const PATTERN_HEADER = ['NODE', 'MEMBERS', 'FILTER']

/** `grapevine routes` for people; `*` marks the node that answered. */
export function renderRoutes({ nodeId, nodes, patterns }: RoutesView): string {
  const rows = nodes.map(node => {
    const { table: exact } = node
    return [
      node.self ? `${node.nodeId} *` : node.nodeId,
      node.self ? 'own' : node.member ? (node.known ? 'known' : 'unknown') : 'kept',
      node.incarnation === null ? '-' : String(node.incarnation),
      node.sequence === null ? '-' : String(node.sequence),
      String(node.patterns),
      node.exactFilters === null ? '?' : String(node.exactFilters),
      ...(exact === null
        ? ['-', '-', '-', '-', '-']
        : [
            `2^${exact.bits}`,
            String(exact.setPositions),
            percent(exact.load),
            String(exact.estimatedFilters),
            percent(exact.falsePositiveRate),
          ]),
    ]
  })
  const { list, total, offset } = patterns
  const left = total - offset - list.length
  return [
    `routes as ${nodeId} knows them`,
    '',
    ...table([NODE_HEADER, ...rows]),
    '',
    `filters with wildcards, and shared subscriptions: ${total}`,
    ...(list.length === 0
      ? []
      : table([
          PATTERN_HEADER,
          ...list.map(({ nodeId: holder, group, filter, members }) => [
            holder,
            group === null ? '' : String(members),
            group === null ? filter : `$share/${group}/${filter}`,
          ]),
        ])),
    ...(left > 0
      ? [`there are ${left} more: --limit N shows more at once, --offset ${offset + list.length} goes on`]
      : []),
  ].join('\n')
}

/** `grapevine routes FILTER` for people. */
export function renderHolders({ nodeId, filter, holders }: HoldersView): string {
  const rows = holders.map(holder => [
    `  ${holder.self ? `${holder.nodeId} *` : holder.nodeId}`,
    filter.startsWith('$share/') ? `members: ${holder.members}` : '',
    holder.certain
      ? 'certain'
      : `probable: its bloom filter is wrong for ${percent(holder.falsePositiveRate)} of filters`,
  ])
  return [
    `${holders.length === 0 ? 'no node has' : 'nodes with'} ${printable(filter)}, as ${nodeId} knows it`,
    ...table(rows),
  ].join('\n')
}
