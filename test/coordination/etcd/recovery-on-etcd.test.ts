import assert from 'node:assert/strict'
import { Coordinator } from '../../../coordination/coordinator.ts'
import { EtcdCoordinationStore } from '../../../coordination/etcd/etcd-coordination-store.ts'
import { SimPeerNetwork, type SimPeerTransport } from '../../../sim/ports/sim-peer-network.ts'
import type { ClientId, NodeId } from '../../../src/core/ids.ts'
import { SystemClock } from '../../../src/system/system-clock.ts'
import { SystemRandom } from '../../../src/system/system-random.ts'
import { until } from '../../contract/harness.ts'
import { startPrivateEtcd, type PrivateEtcd } from '../../support/private-etcd.ts'
import { CutOffStore } from '../support/cut-off-store.ts'
import { plainHolder } from '../support/plain-holder.ts'
import { RecordingLogger } from '../support/recording-logger.ts'
import { plainClaim } from '../support/sim-cluster.ts'

const LEASE_TTL_MS = 3000
const clock = new SystemClock()
const time = { advance: (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms)) }

/** A node whose way to etcd, and whose links, the test can cut. */
class Node {
  readonly nodeId: NodeId
  readonly coordinator: Coordinator
  readonly transport: SimPeerTransport
  readonly store: CutOffStore
  readonly holding = new Set<ClientId>()
  readonly events: string[] = []
  #isMeshWhole = true

  constructor(nodeId: NodeId, etcd: EtcdCoordinationStore, network: SimPeerNetwork) {
    const [random, logger] = [new SystemRandom(), new RecordingLogger()]
    this.nodeId = nodeId
    this.store = new CutOffStore(etcd, clock)
    this.transport = network.transport(nodeId)
    const lease = { leaseTtlMs: LEASE_TTL_MS, renewIntervalMs: 700, leaseMarginMs: 500 }
    this.coordinator = new Coordinator(
      { store: this.store, transport: this.transport, clock, random, logger },
      { cluster: 'test', nodeId, onOwnerLost: 'wait', ...lease },
    )
    this.coordinator.serve(plainHolder(clientId => void this.holding.delete(clientId)))
    this.coordinator.addListener({
      onMembersChanged: () => this.#meet(),
      onSuspended: () => this.events.push('suspended'),
      onResumed: lost => this.events.push(`resumed without [${lost.join()}]`),
    })
  }

  async join(): Promise<void> {
    const self = { ...this.transport.self, state: 'ready' as const, version: '', startedAtMs: 0 }
    const incarnation = await this.coordinator.join({ ...self, mqttAddress: '', adminUrl: '' })
    this.transport.start(this.nodeId, incarnation)
    this.#meet()
  }

  async claim(clientId: ClientId, expiryIntervalSeconds = 0): Promise<boolean> {
    const { status } = await this.coordinator.claim({ ...plainClaim(clientId), expiryIntervalSeconds })
    if (status === 'claimed') this.holding.add(clientId)
    return status === 'claimed'
  }

  setMesh(isWhole: boolean): void {
    this.#isMeshWhole = isWhole
    this.#meet()
  }

  #meet(): void {
    const others = this.coordinator.members.filter(({ nodeId }) => nodeId !== this.nodeId)
    this.transport.setMembers(this.#isMeshWhole ? others : [])
  }
}

describe('A node that lost its lease on a real etcd', function () {
  this.timeout(60_000)
  let etcd: PrivateEtcd
  let a: Node
  let b: Node

  before(async () => {
    etcd = await startPrivateEtcd()
    const network = new SimPeerNetwork(clock)
    const create = async (nodeId: NodeId): Promise<Node> => {
      const [random, logger] = [new SystemRandom(), new RecordingLogger()]
      const options = { endpoints: [etcd.url], clock, random, logger, timeoutMs: 1000 }
      const node = new Node(nodeId, await EtcdCoordinationStore.connect(options), network)
      await node.join()
      return node
    }
    a = await create('a')
    b = await create('b')
    await until(time, 'both are linked', () => a.transport.isUp('b') && b.transport.isUp('a'))
  })
  after(async () => {
    for (const { coordinator, store } of [a, b]) {
      await coordinator.leave()
      await store.close()
    }
    await etcd.close()
  })

  const incarnationOf = ({ coordinator }: Node): number => coordinator.incarnation

  it('because somebody revoked it goes on under the same incarnation, with all it owned', async () => {
    const incarnation = incarnationOf(a)
    assert.ok(await a.claim('kept', 3600))
    const { entries } = await b.store.range('/grapevine/test/members/a/')
    await b.store.revokeLease(entries[0]?.leaseId ?? '')
    await until(time, 'a suspends', () => a.events.includes('suspended'), 5000)
    await until(time, 'a is back', () => a.coordinator.mayAcknowledge(), 10_000)
    assert.deepEqual(a.events, ['suspended', 'resumed without []'])
    assert.equal(incarnationOf(a), incarnation)
    assert.equal((await b.store.range('/grapevine/test/members/a/')).entries.length, 1)
    assert.ok(a.holding.has('kept'))
  })

  it('surrenders what was taken meanwhile, as lost/ says, and keeps the rest', async () => {
    a.events.length = 0
    assert.ok(await a.claim('taken'))
    a.store.setContact('cut')
    a.setMesh(false)
    await until(time, 'a suspends', () => a.events.includes('suspended'), LEASE_TTL_MS * 2)
    for (const endMs = clock.now() + LEASE_TTL_MS * 5; !(await b.claim('taken')); await time.advance(100)) {
      assert.ok(clock.now() < endMs, 'b may take the session of a dead node')
    }
    assert.equal(a.coordinator.mayAcknowledge(), false)
    const { entries } = await b.store.range(`/grapevine/test/lost/a/${incarnationOf(a)}/`)
    assert.ok(entries.some(({ key }) => key.endsWith('/taken')))
    a.store.setContact('open')
    a.setMesh(true)
    await until(time, 'a is back', () => a.coordinator.mayAcknowledge(), 15_000)
    assert.deepEqual(a.events, ['suspended', 'resumed without [taken]'])
    assert.deepEqual([...a.holding], ['kept'])
  })
})
