import assert from 'node:assert/strict'
import { GrapevineError } from '../../src/core/errors.ts'
import { until } from '../contract/harness.ts'
import { LEASE_MARGIN_MS, LEASE_TTL_MS, SimCluster, type SimNode } from './support/sim-cluster.ts'

describe('Coordinator: membership and leadership', () => {
  let cluster: SimCluster

  beforeEach(() => {
    cluster = new SimCluster()
  })

  const names = (node: SimNode): string[] => node.coordinator.members.map(({ nodeId }) => nodeId)
  const kill = async (node: SimNode): Promise<void> => {
    await node.kill()
    await cluster.advance(LEASE_TTL_MS + 1000)
  }

  it('knows every live member, itself included, sorted', async () => {
    const [c, a, b] = (await cluster.start('c', 'a', 'b')) as [SimNode, SimNode, SimNode]
    for (const node of [a, b, c]) assert.deepEqual(names(node), ['a', 'b', 'c'])
    await cluster.settled(b.coordinator.leave())
    await cluster.advance(10)
    assert.deepEqual(names(a), ['a', 'c'])
  })

  it('learns who came and went from a fresh look when the history in between was compacted', async () => {
    const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
    const changes: string[] = []
    a.coordinator.addListener({
      onMembersChanged: members => changes.push(members.map(({ nodeId }) => nodeId).join()),
    })
    assert.equal(a.coordinator.leader, 'a')
    await b.kill()
    const { state } = cluster.service
    // Nobody is told of any of this before it is history.
    const leaseOf = (node: SimNode): string =>
      state.get(`/grapevine/test/members/${node.nodeId}/${node.coordinator.incarnation}`)?.leaseId ?? ''
    const [member] = state.range('/grapevine/test/members/b/')
    state.revokeLease(leaseOf(b))
    const key = '/grapevine/test/members/c/999'
    const success = [{ type: 'put' as const, key, value: (member as { value: Uint8Array }).value }]
    state.transact({ compare: [], success, failure: [] })
    state.compact(state.revision)
    cluster.service.settle()
    await cluster.advance(10)
    assert.deepEqual(names(a), ['a', 'c'])
    assert.deepEqual(changes, ['a,c'])
    assert.equal(a.coordinator.leader, 'a')
    assert.equal(a.coordinator.mayAcknowledge(), true)
    // Its own key gone behind the same gap is noticed, too.
    state.revokeLease(leaseOf(a))
    state.transact({ compare: [], success, failure: [] })
    state.compact(state.revision)
    cluster.service.settle()
    await cluster.advance(5)
    assert.ok(a.events.includes('suspended'))
    await until(cluster, 'a is back', () => a.coordinator.mayAcknowledge())
    assert.equal(cluster.keys('/members/a/').length, 1)
  })

  it('shows what members say of their load, but calls nobody for it', async () => {
    const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
    const loadOfB = (): number | undefined =>
      a.coordinator.members.find(({ nodeId }) => nodeId === 'b')?.load?.connections
    let calls = 0
    a.coordinator.addListener({ onMembersChanged: () => calls++ })
    b.coordinator.setLoad({ connections: 5, sessions: 5, subscriptions: 5 })
    await until(cluster, 'a sees the load', () => loadOfB() === 5)
    assert.equal(calls, 0)
    b.coordinator.setHealth('ails')
    await cluster.advance(100)
    assert.equal(calls, 1)
    assert.equal(loadOfB(), 5)
  })

  it('gives a later life of a node a higher incarnation', async () => {
    const [first] = (await cluster.start('a')) as [SimNode]
    await cluster.settled(first.coordinator.leave())
    const [second] = (await cluster.start('a')) as [SimNode]
    assert.ok(second.coordinator.incarnation > first.coordinator.incarnation)
    assert.ok(first.coordinator.incarnation > 0)
  })

  it('tells the others its state, and keeps trying while the store is away', async () => {
    const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
    const stateOfA = (): string | undefined =>
      b.coordinator.members.find(({ nodeId }) => nodeId === 'a')?.state
    assert.equal(stateOfA(), 'joining')
    a.store.setContact('cut')
    a.coordinator.setState('ready')
    await cluster.advance(4000)
    a.store.setContact('open')
    await until(cluster, 'b sees a ready', () => stateOfA() === 'ready')
    a.store.setContact('deaf')
    a.coordinator.setState('draining')
    await cluster.advance(2000)
    a.coordinator.setState('ready')
    a.store.setContact('open')
    await until(cluster, 'b sees a ready again', () => stateOfA() === 'ready')
    await cluster.advance(10_000)
    assert.equal(stateOfA(), 'ready')
  })

  it('refuses a node id that a live member has, without disturbing it', async () => {
    const [a] = (await cluster.start('a')) as [SimNode]
    const twin = cluster.create('a')
    const joining = twin.join()
    await assert.rejects(
      cluster.settled(joining),
      (error: unknown) => error instanceof GrapevineError && error.code === 'NODE_ID_TAKEN',
    )
    await cluster.advance(LEASE_TTL_MS)
    assert.equal(a.coordinator.mayAcknowledge(), true)
    assert.deepEqual(cluster.keys('/members/a/'), [`/grapevine/test/members/a/${a.coordinator.incarnation}`])
  })

  it('waits for the lease of a life that was killed, says so, and joins', async () => {
    const [first] = (await cluster.start('a')) as [SimNode]
    await first.kill()
    const second = cluster.create('a')
    await cluster.settled(second.join())
    assert.ok(second.coordinator.incarnation > first.coordinator.incarnation)
    assert.match(second.logger.lines.join('\n'), /waiting for its lease to run out/)
    assert.equal(second.coordinator.mayAcknowledge(), true)
  })

  it('lets at most one of two processes with the same node id in, however their starts interleave', async function () {
    this.timeout(20_000)
    for (let offsetMs = 0; offsetMs < 10; offsetMs += 0.25) {
      cluster = new SimCluster()
      const twins = [cluster.create('a'), cluster.create('a')] as [SimNode, SimNode]
      const first = twins[0].join()
      first.catch(() => {})
      await cluster.advance(offsetMs)
      const joined = await cluster.settled(Promise.allSettled([first, twins[1].join()]))
      assert.deepEqual(
        joined.map(({ status }) => status).sort(),
        ['fulfilled', 'rejected'],
        `${offsetMs} ms apart`,
      )
      assert.equal(cluster.keys('/members/a/').length, 1)
    }
  })

  it('stops joining when it is told to leave', async () => {
    const [first] = (await cluster.start('a')) as [SimNode]
    await first.kill()
    const second = cluster.create('a')
    const joining = second.join()
    await cluster.advance(1000)
    await cluster.settled(second.coordinator.leave())
    await assert.rejects(
      cluster.settled(joining),
      (error: unknown) => error instanceof GrapevineError && error.code === 'COORDINATION_CLOSED',
    )
    await cluster.advance(LEASE_TTL_MS + 5000)
    assert.deepEqual(cluster.keys('/members/a/'), [])
  })

  it('has exactly one leader, and another one when it leaves or dies', async () => {
    const nodes = await cluster.start('a', 'b', 'c')
    const leaderOf = (alive: readonly SimNode[]): string => {
      const leaders = new Set(alive.map(node => node.coordinator.leader))
      assert.equal(leaders.size, 1)
      const [leader] = leaders
      assert.ok(
        alive.some(({ nodeId }) => nodeId === leader),
        `${leader} leads`,
      )
      return leader as string
    }
    const first = leaderOf(nodes)
    const afterFirst = nodes.filter(({ nodeId }) => nodeId !== first)
    await cluster.settled((nodes.find(({ nodeId }) => nodeId === first) as SimNode).coordinator.leave())
    await cluster.advance(100)
    const second = leaderOf(afterFirst)
    const afterSecond = afterFirst.filter(({ nodeId }) => nodeId !== second)
    await kill(afterFirst.find(({ nodeId }) => nodeId === second) as SimNode)
    const third = leaderOf(afterSecond)
    assert.deepEqual(afterSecond[0]?.events.filter(event => event === `leader ${third}`).length, 1)
  })

  describe('suspension', () => {
    it('comes before the lease can expire, and other nodes see the member leave only after it', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
      // The last renewal is acknowledged late: its lease counts from when it was sent.
      a.store.answerDelayMs = 900
      await cluster.advance(2700)
      assert.equal(a.coordinator.mayAcknowledge(), true)
      await cluster.advance(1100)
      a.setMesh(false)
      a.store.setContact('cut')
      await until(cluster, 'a suspends', () => !a.coordinator.mayAcknowledge(), 20_000)
      const suspendedMs = cluster.clock.now()
      assert.deepEqual(names(b), ['a', 'b'])
      await until(cluster, 'b sees a leave', () => names(b).length === 1, 20_000)
      // The margin is kept between the two.
      assert.ok(cluster.clock.now() - suspendedMs >= LEASE_MARGIN_MS - 20)
      assert.deepEqual(
        a.events.filter(event => !event.startsWith('leader')),
        ['suspended'],
      )
      assert.deepEqual(await cluster.settled(a.claim('x')), {
        status: 'refused',
        reason: 'suspended',
      })
    })

    it('comes at once when the wall clock has run ahead, as after a suspended machine', async () => {
      const [a] = (await cluster.start('a')) as [SimNode]
      cluster.clock.jumpWallClock(LEASE_TTL_MS)
      assert.equal(a.coordinator.mayAcknowledge(), false)
      await cluster.advance(1)
      assert.ok(a.events.includes('suspended'))
      await until(cluster, 'the next renewal', () => a.coordinator.mayAcknowledge())
      assert.ok(a.events.includes('resumed without []'))
    })

    it('ends as soon as a renewal succeeds, when the lease was never lost', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
      a.setMesh(false)
      a.store.setContact('cut')
      await until(cluster, 'a suspends', () => a.coordinator.isSuspended, 20_000)
      a.store.setContact('open')
      await until(cluster, 'a resumes', () => !a.coordinator.isSuspended)
      assert.deepEqual(
        a.events.filter(event => !event.startsWith('leader')),
        ['suspended', 'resumed without []'],
      )
      assert.deepEqual(names(b), ['a', 'b'])
    })

    it('ends under the same incarnation after the lease was lost, with what others took surrendered', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
      const { incarnation } = a.coordinator
      a.coordinator.setState('ready')
      await cluster.settled(Promise.all(['kept', 'taken'].map(clientId => a.claim(clientId))))
      a.setMesh(false)
      a.store.setContact('cut')
      await until(cluster, 'b sees a leave', () => names(b).length === 1, 20_000)
      assert.equal((await cluster.settled(b.claim('taken'))).status, 'claimed')
      a.store.setContact('open')
      await until(cluster, 'a resumes', () => !a.coordinator.isSuspended)
      assert.ok(a.events.includes('resumed without [taken]'))
      assert.deepEqual(a.surrendered, ['taken'])
      assert.equal(a.coordinator.incarnation, incarnation)
      await cluster.advance(100)
      assert.deepEqual(
        b.coordinator.members.map(({ nodeId, incarnation, state }) => [nodeId, incarnation, state])[0],
        ['a', incarnation, 'ready'],
      )
      assert.deepEqual(b.coordinator.leader, a.coordinator.leader)
    })

    it('comes at once when the member key vanishes, as when somebody revokes the lease', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
      await cluster.settled(a.claim('x'))
      await cluster.settled(cluster.revokeLeaseOf(a))
      await until(cluster, 'a suspends', () => a.events.includes('suspended'), 20)
      await until(cluster, 'a resumes', () => a.events.includes('resumed without []'))
      await cluster.advance(LEASE_TTL_MS * 2)
      assert.deepEqual(names(b), ['a', 'b'])
      assert.equal(a.events.filter(event => event === 'suspended').length, 1)
    })

    it('never ends once another process has taken the node id', async () => {
      const [a] = (await cluster.start('a')) as [SimNode]
      a.store.setContact('cut')
      const other = cluster.create('a')
      await cluster.settled(other.join())
      a.store.setContact('open')
      await until(cluster, 'a gives up', () => a.events.includes('failed NODE_ID_TAKEN'))
      await cluster.advance(LEASE_TTL_MS * 2)
      assert.equal(a.coordinator.mayAcknowledge(), false)
      assert.equal(other.coordinator.mayAcknowledge(), true)
    })
  })
})
