import assert from 'node:assert/strict'
import { Coordinator } from '../../../coordination/coordinator.ts'
import { EtcdCoordinationStore } from '../../../coordination/etcd/etcd-coordination-store.ts'
import { SimPeerNetwork, type SimPeerTransport } from '../../../sim/ports/sim-peer-network.ts'
import type { NodeId } from '../../../src/core/ids.ts'
import { SystemClock } from '../../../src/system/system-clock.ts'
import { SystemRandom } from '../../../src/system/system-random.ts'
import { until } from '../../contract/harness.ts'
import { startPrivateEtcd, type PrivateEtcd } from '../../support/private-etcd.ts'
import { plainHolder } from '../support/plain-holder.ts'
import { RecordingLogger } from '../support/recording-logger.ts'
import { plainClaim } from '../support/sim-cluster.ts'

interface RunningNode {
  readonly coordinator: Coordinator
  readonly transport: SimPeerTransport
  readonly store: EtcdCoordinationStore
  readonly holding: Set<string>
}

const clock = new SystemClock()
const time = { advance: (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms)) }

describe('Coordinator on a real etcd', function () {
  this.timeout(60_000)
  let etcd: PrivateEtcd
  let network: SimPeerNetwork
  const running: RunningNode[] = []

  before(async () => {
    etcd = await startPrivateEtcd()
    network = new SimPeerNetwork(clock)
  })
  after(async () => {
    for (const { coordinator, store } of running) {
      await coordinator.leave()
      await store.close()
    }
    await etcd.close()
  })

  async function start(nodeId: NodeId): Promise<RunningNode> {
    const logger = new RecordingLogger()
    const random = new SystemRandom()
    const store = await EtcdCoordinationStore.connect({
      endpoints: [etcd.url],
      clock,
      random,
      logger,
      timeoutMs: 1000,
    })
    const transport = network.transport(nodeId)
    const coordinator = new Coordinator(
      { store, transport, clock, random, logger },
      {
        cluster: 'test',
        nodeId,
        leaseTtlMs: 3000,
        renewIntervalMs: 700,
        leaseMarginMs: 500,
        onOwnerLost: 'wait',
      },
    )
    const holding = new Set<string>()
    const setPeers = (): void =>
      transport.setMembers(coordinator.members.filter(member => member.nodeId !== nodeId))
    coordinator.serve(plainHolder(clientId => void holding.delete(clientId)))
    coordinator.addListener({ onMembersChanged: setPeers })
    const { peerId, addresses } = transport.self
    const incarnation = await coordinator.join({
      peerId,
      addresses,
      state: 'ready',
      version: '0.0.0',
      mqttAddress: '',
      adminUrl: '',
      startedAtMs: 0,
    })
    transport.start(nodeId, incarnation)
    setPeers()
    const node = { coordinator, transport, store, holding }
    running.push(node)
    return node
  }

  it('shares sessions out between two nodes, also over an outage of etcd longer than the lease', async () => {
    const a = await start('a')
    const b = await start('b')
    await until(time, 'both are linked', () => a.transport.isUp('b') && b.transport.isUp('a'))
    await until(time, 'both see one leader', () => a.coordinator.leader !== undefined)
    assert.equal(a.coordinator.leader, 'a')

    const claim = async (node: RunningNode, clientId: string): Promise<boolean> => {
      const { status } = await node.coordinator.claim(plainClaim(clientId))
      if (status === 'claimed') node.holding.add(clientId)
      return status === 'claimed'
    }
    const clientIds = Array.from({ length: 50 }, (_, i) => `client/${i}`)
    await Promise.all(clientIds.flatMap(clientId => [claim(a, clientId), claim(b, clientId)]))
    for (const clientId of clientIds) {
      assert.equal(Number(a.holding.has(clientId)) + Number(b.holding.has(clientId)), 1, clientId)
    }
    assert.ok(await claim(b, 'moved'))
    assert.ok(await claim(a, 'moved'))
    assert.ok(!b.holding.has('moved'))

    await etcd.kill()
    // Longer than the lease of 3 s: they stay active by each other's promises, as the mesh is whole.
    for (let waitedMs = 0; waitedMs < 5000; waitedMs += 50) {
      await time.advance(50)
      assert.ok(!a.coordinator.isSuspended && !b.coordinator.isSuspended)
    }
    await etcd.restart()
    const areRegistered = async (): Promise<boolean> => {
      const { entries } = await a.store.range('/grapevine/test/members/')
      return entries.length === 2
    }
    for (
      const endMs = clock.now() + 20_000;
      !(await areRegistered().catch(() => false));
      await time.advance(50)
    ) {
      assert.ok(clock.now() < endMs, 'both are registered again')
    }
    assert.ok(a.holding.has('moved'))
    assert.ok(await claim(b, 'moved'))
    assert.ok(!a.holding.has('moved'))

    await a.coordinator.leave()
    await until(time, 'b leads', () => b.coordinator.leader === 'b')
    // Members and leader are watched separately.
    await until(time, 'b is alone', () => b.coordinator.members.length === 1)
  })
})
