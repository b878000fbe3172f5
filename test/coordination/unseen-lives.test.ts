import assert from 'node:assert/strict'
import { until } from '../contract/harness.ts'
import { LEASE_TTL_MS, SimCluster, type SimNode } from './support/sim-cluster.ts'

describe('UnseenLives', () => {
  let cluster: SimCluster

  beforeEach(() => {
    cluster = new SimCluster()
  })

  const names = (node: SimNode): string[] => node.coordinator.members.map(({ nodeId }) => nodeId)
  const nameOf = ({ nodeId, coordinator }: SimNode): string => `${nodeId}/${coordinator.incarnation}`
  const seesAll = (node: SimNode): boolean => node.coordinator.unseenLives.length === 0

  it('are for a node that joins those held by promises of others, as long as they may act', async () => {
    const [a] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
    a.store.setContact('cut')
    await cluster.advance(LEASE_TTL_MS * 2)
    const late = cluster.create('c')
    await cluster.settled(late.join())
    assert.deepEqual(names(late), ['b', 'c'])
    for (let passedMs = 0; passedMs < LEASE_TTL_MS * 3; passedMs += 100) {
      assert.equal(a.coordinator.mayAcknowledge(), true)
      assert.ok(late.coordinator.unseenLives.length > 0)
      await cluster.advance(100)
    }
    assert.deepEqual(late.coordinator.unseenLives, [nameOf(a)])
    a.setMesh(false)
    await until(cluster, 'nothing holds it', () => seesAll(late), LEASE_TTL_MS * 2)
    assert.equal(a.coordinator.mayAcknowledge(), false)
  })

  it('are members whose key has gone, though they never asked this node for a promise', async () => {
    const [a] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
    a.store.setContact('cut')
    const late = cluster.create('c')
    await cluster.settled(late.join())
    assert.deepEqual(names(late), ['a', 'b', 'c'])
    await until(cluster, 'its key goes', () => names(late).length === 2, LEASE_TTL_MS * 2)
    for (let passedMs = 0; passedMs < LEASE_TTL_MS; passedMs += 100) {
      assert.equal(a.coordinator.mayAcknowledge(), true)
      assert.deepEqual(late.coordinator.unseenLives, [nameOf(a)])
      await cluster.advance(100)
    }
    a.store.setContact('open')
    await until(cluster, 'it is registered again', () => names(late).length === 3, LEASE_TTL_MS)
    assert.deepEqual(late.coordinator.unseenLives, [])
  })

  it('are not those that died or left: that is known in a moment', async () => {
    const [a, b, c] = (await cluster.start('a', 'b', 'c')) as [SimNode, SimNode, SimNode]
    await cluster.advance(1000)
    const changes: string[] = []
    a.coordinator.addListener({
      onUnseenChanged: () => changes.push(a.coordinator.unseenLives.join()),
    })
    await c.kill()
    await until(cluster, 'the death is noticed', () => names(a).length === 2, LEASE_TTL_MS * 2)
    await until(cluster, 'nothing holds it', () => seesAll(a), 500)
    await cluster.settled(b.coordinator.leave())
    await until(cluster, 'it has left', () => names(a).length === 1, 500)
    await until(cluster, 'nothing holds it', () => seesAll(a), 500)
    assert.deepEqual(changes, [nameOf(c), '', nameOf(b), ''])
  })

  it('are not those whose witnesses have all been gone for longer than a promise lasts', async () => {
    const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
    await a.kill()
    await b.kill()
    await cluster.advance(LEASE_TTL_MS * 2)
    const late = cluster.create('c')
    await cluster.settled(late.join())
    await cluster.advance(LEASE_TTL_MS / 2)
    assert.deepEqual([...late.coordinator.unseenLives].sort(), [nameOf(a), nameOf(b)])
    await until(cluster, 'no promise can hold them', () => seesAll(late), LEASE_TTL_MS)
  })
})
