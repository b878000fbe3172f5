import assert from 'node:assert/strict'
import { SeededRandom } from '../../sim/ports/seeded-random.ts'
import { until } from '../contract/harness.ts'
import { LEASE_TTL_MS, SimCluster, SimDisk, type SimNode } from './support/sim-cluster.ts'

describe('Promises', () => {
  let cluster: SimCluster

  beforeEach(() => {
    cluster = new SimCluster()
  })

  const names = (node: SimNode): string[] => node.coordinator.members.map(({ nodeId }) => nodeId)
  const suspensions = (node: SimNode): string[] => node.events.filter(event => !event.startsWith('leader'))
  const setContact = (nodes: readonly SimNode[], contact: 'open' | 'cut'): void => {
    for (const node of nodes) node.store.setContact(contact)
  }
  /** Checks at every 50 ms that nobody acknowledges for a client somebody else acknowledges for. */
  const advanceChecked = async (
    nodes: readonly SimNode[],
    ms: number,
    alsoTrue = () => {},
  ): Promise<void> => {
    for (let passedMs = 0; passedMs < ms; passedMs += 50) {
      await cluster.advance(50)
      alsoTrue()
      const active = nodes.filter(node => node.coordinator.mayAcknowledge())
      const serving = active.flatMap(node => [...node.holding.keys()])
      assert.equal(new Set(serving).size, serving.length, `two owners at ${cluster.clock.now()}`)
    }
  }

  it('let every node go on through an outage of the store, and all is as before afterwards', async () => {
    const nodes = (await cluster.start('a', 'b', 'c')) as [SimNode, SimNode, SimNode]
    const incarnations = nodes.map(node => node.coordinator.incarnation)
    for (const node of nodes) await cluster.settled(node.claim(`of ${node.nodeId}`))
    setContact(nodes, 'cut')
    await advanceChecked(nodes, LEASE_TTL_MS * 4, () => {
      for (const node of nodes) assert.equal(node.coordinator.mayAcknowledge(), true)
    })
    assert.deepEqual(cluster.keys('/members/'), [])
    setContact(nodes, 'open')
    await advanceChecked(nodes, LEASE_TTL_MS * 3, () => {
      for (const node of nodes) assert.deepEqual(names(node), ['a', 'b', 'c'])
    })
    assert.equal(cluster.keys('/members/').length, 3)
    for (const node of nodes) {
      assert.deepEqual(suspensions(node), [])
      assert.deepEqual([...node.holding.keys()], [`of ${node.nodeId}`])
      assert.equal(node.coordinator.isPromised, false)
    }
    assert.deepEqual(
      nodes.map(node => node.coordinator.incarnation),
      incarnations,
    )
    for (const { coordinator } of nodes) {
      const { asked, promised, given, refused, denied } = coordinator.promiseStats
      assert.ok(asked >= promised && promised > 2 && given > 2, JSON.stringify(coordinator.promiseStats))
      assert.deepEqual([refused, denied], [0, 0])
    }
    // And a session can move again.
    assert.equal((await cluster.settled(nodes[0].claim('of b'))).status, 'claimed')
    assert.deepEqual([...nodes[1].holding.keys()], [])
  })

  it('let a node go on that is cut off from the store alone; it stays a member, and nothing is taken from it', async () => {
    const nodes = (await cluster.start('a', 'b', 'c')) as [SimNode, SimNode, SimNode]
    const [a, b] = nodes
    await cluster.settled(a.claim('x'))
    a.store.setContact('cut')
    await advanceChecked(nodes, LEASE_TTL_MS * 3, () => {
      assert.equal(a.coordinator.mayAcknowledge(), true)
      assert.deepEqual(names(b), ['a', 'b', 'c'])
    })
    assert.deepEqual(cluster.keys('/members/a/'), [])
    // By consent it may still be taken.
    assert.equal((await cluster.settled(b.claim('x'))).status, 'claimed')
    assert.deepEqual([...a.holding.keys()], [])
    a.store.setContact('open')
    await advanceChecked(nodes, LEASE_TTL_MS * 2)
    assert.deepEqual(suspensions(a), [])
    assert.deepEqual([...b.holding.keys()], ['x'])
  })

  it('do not help when a member is away too: the node suspends itself, and only then is anything taken from it', async () => {
    const nodes = (await cluster.start('a', 'b', 'c')) as [SimNode, SimNode, SimNode]
    const [a, b, c] = nodes
    await cluster.settled(a.claim('x'))
    await c.kill()
    await cluster.advance(100)
    a.store.setContact('cut')
    await until(cluster, 'a suspends', () => suspensions(a).includes('suspended'), LEASE_TTL_MS)
    assert.equal(a.coordinator.mayAcknowledge(), false)
    await advanceChecked(nodes, LEASE_TTL_MS * 2)
    assert.equal((await cluster.settled(b.claim('x'))).status, 'claimed')
    a.store.setContact('open')
    await advanceChecked(nodes, LEASE_TTL_MS)
    assert.deepEqual(suspensions(a), ['suspended', 'resumed without [x]'])
    assert.deepEqual(a.surrendered, ['x'])
  })

  it('end with the mesh: the node suspends itself before its witnesses may take anything', async () => {
    const nodes = (await cluster.start('a', 'b')) as [SimNode, SimNode]
    const [a, b] = nodes
    await cluster.settled(a.claim('x'))
    a.store.setContact('cut')
    await advanceChecked(nodes, LEASE_TTL_MS * 2)
    assert.equal(a.coordinator.mayAcknowledge(), true)
    a.setMesh(false)
    let isTaken = false
    const endMs = cluster.clock.now() + LEASE_TTL_MS * 2
    while (!isTaken && cluster.clock.now() < endMs) {
      const claim = b.claim('x').then(({ status }) => (isTaken = status === 'claimed'))
      await advanceChecked(nodes, 500)
      await cluster.settled(claim)
    }
    assert.equal(isTaken, true)
    assert.equal(a.coordinator.mayAcknowledge(), false)
  })

  it('hold against a node that joined later, and that the promised one has never heard of', async () => {
    const nodes = (await cluster.start('a', 'b')) as [SimNode, SimNode]
    const [a, b] = nodes
    await cluster.settled(a.claim('x'))
    setContact(nodes, 'cut')
    await advanceChecked(nodes, LEASE_TTL_MS * 2)
    const late = cluster.create('c')
    await cluster.settled(late.join())
    for (let attempt = 0; attempt < 6; attempt++) {
      const claim = late.claim('x')
      await advanceChecked([...nodes, late], LEASE_TTL_MS)
      assert.equal((await cluster.settled(claim)).status, 'refused')
    }
    assert.equal(a.coordinator.mayAcknowledge(), true)
    assert.equal(b.coordinator.mayAcknowledge(), true)
  })

  it('hold against a second process of the node’s own id on another data directory, and who asks that one', async () => {
    const [b] = (await cluster.start('b')) as [SimNode]
    const first = cluster.create('a', new SimDisk('one'))
    await cluster.settled(first.join())
    await cluster.advance(200)
    for (const clientId of ['x', 'y']) await cluster.settled(first.claim(clientId))
    first.store.setContact('cut')
    await cluster.advance(LEASE_TTL_MS * 2)
    assert.equal(first.coordinator.mayAcknowledge(), true)
    const second = cluster.create('a', new SimDisk('two'))
    await cluster.settled(second.join())
    assert.equal(first.coordinator.mayAcknowledge(), true)
    let taken = 0
    for (let attempt = 0; attempt < 20 && taken < 2; attempt++) {
      taken = 0
      const claims = [second.claim('x'), b.claim('y')].map(claim =>
        claim.then(({ status }) => (taken += Number(status === 'claimed'))),
      )
      await advanceChecked([b, first, second], 5000)
      await cluster.settled(Promise.all(claims))
    }
    assert.equal(taken, 2)
    assert.equal(first.coordinator.mayAcknowledge(), false)
  })

  it('are refused by a witness that a later node has asked to: it may take from the dead', async () => {
    const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
    await cluster.settled(a.claim('x'))
    await a.kill()
    await cluster.advance(LEASE_TTL_MS * 2)
    const [late] = (await cluster.start('c')) as [SimNode]
    assert.equal(late.transport.isUp('b'), true)
    assert.equal((await cluster.settled(late.claim('x'))).status, 'claimed')
    assert.equal(b.coordinator.mayAcknowledge(), true)
  })

  it('never leave two nodes acknowledging for one client, whatever is cut', async function () {
    this.timeout(60_000)
    for (let seed = 1; seed <= 4; seed++) {
      cluster = new SimCluster(seed * 1000)
      const random = new SeededRandom(seed)
      const nodes = await cluster.start('a', 'b', 'c')
      const busy = new Set<SimNode>()
      for (let step = 0; step < 120; step++) {
        const node = nodes[random.uint32() % nodes.length] as SimNode
        const dice = random.uint32() % 14
        if (dice < 6 && !busy.has(node)) {
          busy.add(node)
          void node.claim('x').then(() => busy.delete(node))
        } else if (dice < 8) node.store.setContact('cut')
        else if (dice < 10) node.store.setContact('open')
        else if (dice === 10) node.setMesh(random.uint32() % 2 === 0)
        else if (dice === 11 && nodes.length < 5) {
          const late = cluster.create(`late${nodes.length}`)
          void late.join().then(
            () => nodes.push(late),
            () => {},
          )
        } else cluster.clock.jumpWallClock((random.uint32() % 20_000) - 10_000)
        await advanceChecked(nodes, (random.uint32() % 60) * 100)
      }
    }
  })
})
