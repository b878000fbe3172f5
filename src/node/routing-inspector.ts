/**
 * Answers where a message would go and what is known of the routes, from the very structures that route.
 *
 * It publishes nothing, takes no turn of a shared subscription and leaves every cache as it is. Invariant: what it says of a
 * topic is what a publication in the same turn would meet.
 */
import type { HashedRemoteIndex, RemoteMatch } from '../../routing/remote-index.ts'
import type { RemoteNode } from '../../routing/remote-node.ts'
import type { Foresight, MatchedGroup, SharedGroups } from '../../routing/shared-groups.ts'
import type { TrieLocalIndex } from '../../routing/local-index.ts'
import type { Incarnation, NodeId } from '../core/ids.ts'
import { limits } from '../core/limits.ts'
import type { LocalMatch, RemoteGroup, RemoteInterestStatus, SharedGroup } from '../core/ports/routing.ts'
import type {
  Bounded,
  ExplainQuery,
  Explanation,
  FilterHolder,
  GroupChoice,
  LocalRecipient,
  NodeRoutes,
  PeerRoute,
  RecipientNode,
  RetainedFact,
  RoutePattern,
  RouteReason,
  RoutesQuery,
  RouteTable,
  RoutingControl,
} from '../core/ports/routing-control.ts'
import type { Publication } from '../core/publication.ts'
import { isAbsent } from '../core/retained-entry.ts'
import { hasWildcard, isSharedFilter, topicFilterFault, topicNameFault } from '../core/topic.ts'

export interface InspectedNode {
  readonly nodeId: NodeId
  readonly topicLevelsMax: number
  readonly acceptTimeoutMs: number
  readonly localIndex: TrieLocalIndex
  readonly remoteIndex: HashedRemoteIndex
  readonly sharedGroups: SharedGroups
  readonly interest: { readonly sequence: number; status(): readonly RemoteInterestStatus[] }
  readonly retained: { match(filter: string): readonly Publication[] }
  readonly transport: { isUp(nodeId: NodeId): boolean }
  readonly peers: { queues(): readonly QueueStatus[] }
  incarnation(): Incarnation | undefined
  mayAcknowledge(): boolean
}

type QueueStatus = Pick<
  PeerRoute,
  'nodeId' | 'presence' | 'waiting' | 'outboxMessages' | 'outboxBytes' | 'isThroughOutbox'
> & { readonly isFull: boolean }

export class RoutingInspector implements RoutingControl {
  readonly #node: InspectedNode

  constructor(node: InspectedNode) {
    this.#node = node
  }

  topicFault(topic: string): string | undefined {
    return topicNameFault(topic, this.#node.topicLevelsMax)
  }

  filterFault(filter: string): string | undefined {
    const { group, filter: rest } = sharedParts(filter)
    if (isSharedFilter(filter) && (group === '' || hasWildcard(group)))
      return 'names no group of a shared subscription'
    return topicFilterFault(rest, this.#node.topicLevelsMax)
  }

  explain(query: ExplainQuery): Explanation {
    const { topic, qos } = query
    const found = this.#node.remoteIndex.reasonsFor(topic)
    const nodes = this.#recipientNodes(found)
    const local = this.#localRecipients(query)
    const groups = this.#groupChoices(query, found)
    return {
      topic,
      qos,
      local,
      nodes: bounded(nodes),
      groups: bounded(groups),
      nodesLeftOut: this.#node.remoteIndex.nodes.size - nodes.length,
      retained: this.#retained(topic),
      waitsFor: qos === 0 ? [] : [...this.#waitsFor(nodes, local.total), ...this.#waitsForGroups(groups)],
    }
  }

  routes({ nodeId, offset, limit }: RoutesQuery): RouteTable {
    const { remoteIndex, localIndex } = this.#node
    const nodes = this.#nodeRoutes()
    const wanted = nodes.filter(node => nodeId === undefined || node.nodeId === nodeId)
    const items: RoutePattern[] = []
    let passed = 0
    for (const { nodeId: name, isSelf, patterns } of wanted) {
      if (passed + patterns > offset && items.length < limit) {
        const all = isSelf ? ownPatterns(localIndex) : (remoteIndex.nodes.get(name)?.patterns ?? [])
        let at = passed
        for (const { group, filter, members } of all) {
          if (at++ < offset) continue
          items.push({ nodeId: name, group: group === '' ? undefined : group, filter, members })
          if (items.length === limit) break
        }
      }
      passed += patterns
    }
    return { nodes, patterns: { items, total: passed } }
  }

  holders(filter: string): readonly FilterHolder[] {
    const { localIndex, remoteIndex, nodeId } = this.#node
    const { group, filter: rest } = sharedParts(filter)
    const holders: FilterHolder[] = []
    const own = group === '' ? Number(localIndex.hasFilter(rest)) : localIndex.memberCount(group, rest)
    if (own > 0) holders.push({ nodeId, isSelf: true, members: own, isCertain: true, falsePositiveRate: 0 })
    if (group !== '' || hasWildcard(rest)) {
      for (const node of remoteIndex.nodes.values()) {
        const members = node.membersOf(group, rest)
        if (members === 0) continue
        holders.push({ nodeId: node.nodeId, isSelf: false, members, isCertain: true, falsePositiveRate: 0 })
      }
    } else {
      for (const node of remoteIndex.holdersOfExact(rest)) {
        const falsePositiveRate = node.table?.falsePositiveRate ?? 0
        holders.push({ nodeId: node.nodeId, isSelf: false, members: 1, isCertain: false, falsePositiveRate })
      }
    }
    return holders
  }

  #localRecipients({ topic, qos, publisher }: ExplainQuery): Bounded<LocalRecipient> {
    const found = new Map<LocalMatch['subscriber'], LocalRecipient & { filters: string[] }>()
    const others = new Set<LocalMatch['subscriber']>()
    for (const { subscriber, filter, qos: subscribed, noLocal } of this.#node.localIndex.subscriptionsFor(
      topic,
    )) {
      const before = found.get(subscriber)
      if (before === undefined && found.size >= limits.explainedItemsMax) {
        others.add(subscriber)
        continue
      }
      const filters = before?.filters ?? []
      if (filters.length < limits.explainedReasonsMax) filters.push(filter)
      const highest = Math.max(before?.qos ?? 0, Math.min(qos, subscribed)) as typeof qos
      const hasNoLocal = noLocal && before?.noLocal !== false
      found.set(subscriber, {
        clientId: subscriber.clientId,
        filters,
        qos: highest,
        noLocal: hasNoLocal,
        isSkipped: hasNoLocal && publisher !== '' && subscriber.clientId === publisher,
      })
    }
    return { items: [...found.values()], total: found.size + others.size }
  }

  #recipientNodes({ patterns, isComplete, exact, unknown }: RemoteMatch): RecipientNode[] {
    const { remoteIndex } = this.#node
    const reasons = new Map<RemoteNode, RouteReason[]>()
    const add = (node: RemoteNode, reason: RouteReason): void => {
      const known = reasons.get(node)
      if (known === undefined) reasons.set(node, [reason])
      else known.push(reason)
    }
    for (const node of unknown) add(node, { kind: 'unknown' })
    for (const node of exact) {
      add(node, { kind: 'exact', falsePositiveRate: node.table?.falsePositiveRate ?? 0 })
    }
    for (const { filter, nodes } of patterns) {
      for (const node of nodes) add(node, { kind: 'pattern', filter })
    }
    for (const { filter, groups } of patterns) {
      for (const { group, nodes: holders, members } of groups.values()) {
        for (const node of holders) {
          if (isComplete && !reasons.has(node)) continue // it gets what is for a member there, and nothing else
          add(node, { kind: 'group', group, filter, members: members.get(node.nodeId) ?? 0 })
        }
      }
    }
    if (!isComplete) {
      for (const node of remoteIndex.nodes.values()) if (node.wildcards > 0) add(node, { kind: 'cut' })
    }
    const routes = this.#peerRoutes()
    return [...reasons]
      .map(([node, all]) => ({
        ...routes(node),
        reasons: all.slice(0, limits.explainedReasonsMax),
        reasonsLeftOut: Math.max(0, all.length - limits.explainedReasonsMax),
      }))
      .sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1))
  }

  /** Describes one node after another from what was gathered once. */
  #peerRoutes(): (node: RemoteNode) => PeerRoute {
    const { interest, peers, transport } = this.#node
    const interests = new Map(interest.status().map(status => [status.nodeId, status]))
    const queues = new Map(peers.queues().map(queue => [queue.nodeId, queue]))
    return ({ nodeId, isKnown }) => {
      const status = interests.get(nodeId)
      const queue = queues.get(nodeId)
      return {
        nodeId,
        incarnation: status?.incarnation,
        sequence: status?.sequence,
        isKnown,
        presence: queue?.presence ?? 'forgotten',
        isLinkUp: transport.isUp(nodeId),
        waiting: queue?.waiting ?? 0,
        outboxMessages: queue?.outboxMessages ?? 0,
        outboxBytes: queue?.outboxBytes ?? 0,
        isThroughOutbox: queue?.isThroughOutbox ?? false,
      }
    }
  }

  #groupChoices(
    { topic, qos, publisher }: ExplainQuery,
    { patterns, isComplete }: RemoteMatch,
  ): GroupChoice[] {
    const { localIndex, sharedGroups } = this.#node
    const groups = new Map<string, { local?: SharedGroup; remote?: RemoteGroup }>()
    for (const local of localIndex.groupsFor(topic)) groups.set(`${local.group}/${local.filter}`, { local })
    for (const remote of patterns.flatMap(pattern => [...pattern.groups.values()])) {
      const key = `${remote.group}/${remote.filter}`
      groups.set(key, { ...groups.get(key), remote })
    }
    const publication: Publication = {
      topic,
      qos,
      publisher,
      payload: new Uint8Array(0),
      retain: false,
      properties: undefined,
      expiresAtMs: undefined,
    }
    return [...groups.values()].map(({ local, remote }) => {
      const group: MatchedGroup = { local, remote }
      const foresight = sharedGroups.foresee(group, publication)
      const { members } = foresight
      const chosenNode = isComplete ? foresight.node : undefined
      const next =
        foresight.strategy === 'random' ? undefined : local?.peek(sharedGroups.tickets.foresee(publication))
      const clientHere = next?.subscriber.clientId
      const chosenClient = chosenNode === this.#node.nodeId ? clientHere : undefined
      const { group: name, filter } = (local ?? remote) as SharedGroup | RemoteGroup
      const because = isComplete ? reasonOf(foresight, local !== undefined, publisher) : CUT
      return { group: name, filter, members, chosenNode, chosenClient, clientHere, because }
    })
  }

  #retained(topic: string): RetainedFact | undefined {
    const [message] = this.#node.retained.match(topic)
    if (message === undefined) return undefined
    const bytes = isAbsent(message) ? message.absentBytes : message.payload.length
    return { bytes, qos: message.qos, expiresAtMs: message.expiresAtMs }
  }

  #waitsFor(nodes: readonly RecipientNode[], localRecipients: number): string[] {
    const { peers, acceptTimeoutMs } = this.#node
    const waits: string[] = []
    if (!this.#node.mayAcknowledge())
      waits.push('the lease of this node: it is suspended and acknowledges nothing')
    const queues = new Map(peers.queues().map(queue => [queue.nodeId, queue]))
    const full = nodes.filter(({ nodeId }) => queues.get(nodeId)?.isFull === true)
    if (full.length > 0)
      waits.push(`room in the queue to ${names(full)}: its publisher is not read until then`)
    if (localRecipients > 0) waits.push('the store of this node, for sessions that are kept on it')
    const direct = nodes.filter(({ presence, isThroughOutbox }) => presence === 'member' && !isThroughOutbox)
    const stored = nodes.filter(({ presence, isThroughOutbox }) => presence === 'away' || isThroughOutbox)
    if (direct.length > 0) {
      waits.push(
        `${names(direct)} to accept it, or after ${acceptTimeoutMs} ms the outbox on this node's disk`,
      )
    }
    if (stored.length > 0) waits.push(`the outbox for ${names(stored)} on this node's disk: late, or gone`)
    return waits
  }

  #waitsForGroups(groups: readonly GroupChoice[]): string[] {
    const { nodeId } = this.#node
    return groups.slice(0, limits.explainedReasonsMax).map(({ group, filter, chosenNode }) => {
      const who =
        chosenNode === undefined
          ? 'whoever is chosen'
          : chosenNode === nodeId
            ? 'this node’s store'
            : chosenNode
      return `${who} to take it for $share/${group}/${filter}`
    })
  }

  #nodeRoutes(): NodeRoutes[] {
    const { nodeId, localIndex, remoteIndex, interest } = this.#node
    const statuses = new Map(interest.status().map(status => [status.nodeId, status]))
    const patterns = localIndex.wildcardFilters.size + localIndex.groupCount
    const self: NodeRoutes = {
      nodeId,
      isSelf: true,
      incarnation: this.#node.incarnation(),
      sequence: interest.sequence,
      isKnown: true,
      isMember: this.#node.incarnation() !== undefined,
      patterns,
      exactFilters: localIndex.filterCount - patterns,
      table: undefined,
    }
    const others = [...remoteIndex.nodes.values()].map((node): NodeRoutes => {
      const status = statuses.get(node.nodeId)
      return {
        nodeId: node.nodeId,
        isSelf: false,
        incarnation: status?.incarnation,
        sequence: status?.sequence,
        isKnown: node.isKnown,
        isMember: status !== undefined,
        patterns: node.patternCount,
        exactFilters: status && Math.max(0, status.filters - node.patternCount),
        table: node.table,
      }
    })
    return [self, ...others.sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1))]
  }
}

const CUT = 'too many wildcards to look for groups: every node with any gives it to a member of its own'

function reasonOf({ strategy, members, node }: Foresight, isHere: boolean, publisher: string): string {
  const live = members.filter(({ isLive }) => isLive)
  if (members.length > 0 && live.length === 0)
    return 'every node with a member is gone: one keeps it for its sessions'
  if (live.length === 1) return 'the only node with a member'
  switch (strategy) {
    case 'local-first':
      return isHere ? 'members of this node come first' : 'no member is here: the others in turn'
    case 'sticky':
      return publisher === ''
        ? 'always the same for one publisher; shown is what a publisher without client id gets'
        : 'always the same for this publisher'
    case 'hash-topic':
      return 'always the same for this topic'
    case 'random':
      return 'drawn at random for each message, by number of members'
    default:
      return node === undefined
        ? 'in turn, by number of members; where the turn begins is drawn with the first message'
        : 'in turn, by number of members'
  }
}

function bounded<T>(all: readonly T[]): Bounded<T> {
  return { items: all.slice(0, limits.explainedItemsMax), total: all.length }
}

/** A filter as subscribed, apart: the group is empty for an ordinary one. */
function sharedParts(filter: string): { readonly group: string; readonly filter: string } {
  if (!isSharedFilter(filter)) return { group: '', filter }
  const [, group = '', ...rest] = filter.split('/')
  return { group, filter: rest.join('/') }
}

function* ownPatterns(
  index: TrieLocalIndex,
): Iterable<{ readonly group: string; readonly filter: string; readonly members: number }> {
  for (const filter of index.wildcardFilters) yield { group: '', filter, members: 1 }
  yield* index.groups()
}

function names(nodes: readonly RecipientNode[]): string {
  const shown = nodes.slice(0, 5).map(({ nodeId }) => nodeId)
  return shown.join(', ') + (nodes.length > shown.length ? ` and ${nodes.length - shown.length} more` : '')
}
