import type { Member } from '../core/ports/membership.ts'
import type { ClusterStatus, LoadStatus, MemberStatus } from '../core/ports/node-status.ts'
import type { PeerTransport } from '../core/ports/peer-transport.ts'
import type { BrokerNode } from './broker-node.ts'
import type { ClusterEventLog } from './cluster-event-log.ts'

interface ClusterView {
  readonly broker: Pick<BrokerNode, 'coordinator' | 'interest' | 'localIndex' | 'mqtt'>
  readonly transport: Pick<PeerTransport, 'isUp'>
  readonly events: Pick<ClusterEventLog, 'events'>
  readonly options: {
    readonly cluster: string
    readonly nodeId: string
    readonly coordination: { readonly store: 'embedded' | 'etcd' }
  }
}

/** The cluster as one of its nodes sees it now. */
export function describeCluster({ broker, transport, events, options }: ClusterView): ClusterStatus {
  const { coordinator, interest, localIndex, mqtt } = broker
  const { connectionCount: connections, sessionCount: sessions } = mqtt.sessions
  const { leader } = coordinator
  const interests = new Map(interest.status().map(status => [status.nodeId, status]))

  const describeMember = (member: Member): MemberStatus => {
    const self = member.nodeId === options.nodeId
    const known = interests.get(member.nodeId)
    return {
      nodeId: member.nodeId,
      incarnation: member.incarnation,
      state: member.state,
      leader: member.nodeId === leader,
      self,
      linkUp: self || transport.isUp(member.nodeId),
      interestKnown: self || known?.known === true,
      filters: self ? localIndex.filterCount : (known?.filters ?? 0),
      version: member.version,
      mqttAddress: member.mqttAddress,
      adminUrl: member.adminUrl,
      startedAtMs: member.startedAtMs,
      load: self ? { connections, sessions } : loadOf(member),
      suspended: self && coordinator.isSuspended,
      health: member.health ?? null,
    }
  }

  return {
    cluster: options.cluster,
    nodeId: options.nodeId,
    coordination: options.coordination.store,
    suspended: coordinator.isSuspended,
    leader,
    members: coordinator.members.map(describeMember),
    local: {
      connections,
      sessions,
      queued: mqtt.stats.queued.messages,
      subscriptions: localIndex.subscriptionCount,
      filters: localIndex.filterCount,
    },
    events: events.events,
  }
}

function loadOf({ load }: Member): LoadStatus | null {
  return load === undefined ? null : { connections: load.connections, sessions: load.sessions }
}
