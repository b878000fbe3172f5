import type { ExplanationView } from '../admin/routing-schemas.ts'
import { duration, printable, table } from './table.ts'

type NodeView = ExplanationView['nodes']['list'][number]
type ReasonView = NodeView['reasons'][number]

/** `grapevine explain` for people. */
export function renderExplanation(view: ExplanationView, nowMs: number): string {
  const { nodeId, topic, qos, local, nodes, nodesLeftOut, groups, retained, waitsFor } = view
  const lines = [`published at ${nodeId} on ${printable(topic)}, QoS ${qos}, a message would go to`, '']
  lines.push(`clients of ${nodeId}: ${local.total}`)
  lines.push(
    ...table(
      local.clients.map(client => [
        `  ${client.clientId}`,
        `QoS ${client.qos}`,
        client.filters.join(', '),
        client.skipped ? 'No Local: its own message, left out' : client.noLocal ? 'No Local' : '',
      ]),
    ),
    ...rest(local.clients.length, local.total),
  )
  lines.push('', `other nodes: ${nodes.total} of ${nodes.total + nodesLeftOut}`)
  for (const node of nodes.list) lines.push(...nodeLines(node))
  lines.push(...rest(nodes.list.length, nodes.total))
  if (groups.total > 0) lines.push('', `one member of each shared subscription: ${groups.total}`)
  for (const group of groups.list) {
    const members = group.members.map(
      ({ nodeId: name, members: count, live }) => `${count} on ${name}${live ? '' : ' (gone)'}`,
    )
    const chosen = group.chosenNode ?? 'not decided yet'
    const client =
      group.chosenClient !== null
        ? `, client ${printable(group.chosenClient)}`
        : group.chosenNode === null
          ? ''
          : ', a member it picks'
    lines.push(
      `  $share/${printable(group.group)}/${printable(group.filter)}: ${members.join(', ')}`,
      `    next: ${chosen}${client} (${group.because})`,
    )
  }
  lines.push(...rest(groups.list.length, groups.total))
  lines.push('', `retained message: ${retained === null ? 'none' : retainedText(retained, nowMs)}`)
  if (qos > 0) {
    lines.push(
      waitsFor.length === 0
        ? 'the acknowledgement would wait for nothing'
        : 'the acknowledgement would wait for',
      ...waitsFor.map(wait => `  ${printable(wait)}`),
    )
  }
  return lines.join('\n')
}

function nodeLines(node: NodeView): string[] {
  const version =
    node.incarnation === null
      ? 'gone, interest as last known'
      : `incarnation ${node.incarnation}, change ${node.sequence ?? 0}${node.known ? '' : ', interest not known'}`
  const queue =
    (node.waiting === 0 ? '' : `, ${node.waiting} waiting`) +
    (node.outboxMessages === 0 ? '' : `, ${node.outboxMessages} in its outbox (${node.outboxBytes} bytes)`)
  return [
    `  ${node.nodeId}: ${version}, link ${node.linkUp ? 'up' : 'down'}${queue}`,
    ...node.reasons.map(reason => `    ${reasonText(reason)}`),
    ...(node.reasonsLeftOut === 0 ? [] : [`    and ${node.reasonsLeftOut} more`]),
  ]
}

function reasonText(reason: ReasonView): string {
  switch (reason.kind) {
    case 'pattern':
      return `filter ${printable(reason.filter)}`
    case 'exact':
      return `its bloom filter has the topic: probably a subscription to exactly it (wrong for ${percent(reason.falsePositiveRate)} of topics)`
    case 'group':
      return `shared subscription $share/${printable(reason.group)}/${printable(reason.filter)}, members: ${reason.members}`
    case 'unknown':
      return 'what it is interested in is not known yet, so it gets everything'
    case 'cut':
      return 'too many filters with wildcards to look at: every node with any gets it'
  }
}

/** A share, with as many digits as mean something. */
export function percent(share: number): string {
  return share === 0 ? '0 %' : `${(share * 100).toPrecision(2)} %`
}

function retainedText(
  { bytes, qos, expiresAtMs }: NonNullable<ExplanationView['retained']>,
  nowMs: number,
): string {
  const expiry = expiresAtMs === null ? '' : `, expires in ${duration(expiresAtMs - nowMs)}`
  return `${bytes} bytes, QoS ${qos}${expiry}`
}

function rest(shown: number, total: number): string[] {
  return total > shown ? [`  and ${total - shown} more`] : []
}
