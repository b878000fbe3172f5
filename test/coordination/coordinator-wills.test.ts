import assert from 'node:assert/strict'
import type { ClaimRequest } from '../../src/core/ports/session-ownership.ts'
import type { WillRecord } from '../../src/core/ports/session-journal.ts'
import { LEASE_TTL_MS, SimCluster, type SimNode } from './support/sim-cluster.ts'

const NOTICED_MS = LEASE_TTL_MS + 40_000

function willOf(node: SimNode, delaySeconds: number, number = 1): WillRecord {
  const publication = {
    topic: 'gone',
    payload: Uint8Array.of(1),
    qos: 1 as const,
    retain: false,
    properties: undefined,
    expiresAtMs: undefined,
    publisher: 'x',
    id: { incarnation: node.coordinator.incarnation, number },
  }
  return { publication, messageExpirySeconds: undefined, delaySeconds }
}

function claimOf(will: WillRecord | undefined, expiryIntervalSeconds = 3600): ClaimRequest {
  return { clientId: 'x', cleanStart: false, expiryIntervalSeconds, will }
}

describe('Coordinator, wills', () => {
  let cluster: SimCluster
  /** Ids of the wills published by leaders, with who did. */
  let published: string[]

  beforeEach(() => {
    cluster = new SimCluster()
    published = []
  })

  async function start(...nodeIds: string[]): Promise<SimNode[]> {
    const nodes = await cluster.start(...nodeIds)
    for (const { coordinator, nodeId } of nodes) {
      coordinator.serveWills(({ publication }) => {
        published.push(`${nodeId} ${publication.id?.incarnation}/${publication.id?.number}`)
        return Promise.resolve()
      })
    }
    return nodes
  }

  async function claim(node: SimNode, request: ClaimRequest): Promise<{ epoch: number; revision: number }> {
    const answer = await cluster.settled(node.coordinator.claim(request))
    assert.equal(answer.status, 'claimed')
    return answer.token
  }

  it('survive their owner: kept by the claim, published by a survivor, once', async () => {
    const [, b] = (await start('a', 'b', 'c')) as [SimNode, SimNode]
    await claim(b, claimOf(willOf(b, 0)))
    await b.kill()
    await cluster.advance(NOTICED_MS)
    assert.equal(published.length, 1)
    assert.match(published[0] ?? '', new RegExp(` ${b.coordinator.incarnation}/1$`))
    await cluster.advance(60_000)
    assert.equal(published.length, 1)
  })

  it('published while their owner is away are told to it when it is back, and no others', async () => {
    const [, b] = (await start('a', 'b')) as [SimNode, SimNode]
    await claim(b, claimOf(willOf(b, 0)))
    await claim(b, { ...claimOf(willOf(b, 300, 2)), clientId: 'y' })
    await claim(b, { ...claimOf(undefined), clientId: 'z' })
    b.store.setContact('cut')
    await cluster.settled(cluster.revokeLeaseOf(b))
    await cluster.advance(10_000)
    assert.equal(published.length, 1)
    b.store.setContact('open')
    await cluster.advance(10_000)
    assert.deepEqual(b.events.slice(-2), ['the will of x was published', 'resumed without []'])
    await cluster.advance(60_000)
    assert.equal(published.length, 1)
    assert.deepEqual(cluster.keys('/wills/').length, 1)
  })

  it('that their owner has published or dropped are not published again', async () => {
    const [, b] = (await start('a', 'b')) as [SimNode, SimNode]
    const token = await claim(b, claimOf(willOf(b, 0)))
    assert.equal(cluster.keys('/wills/').length, 1)
    await b.coordinator.setWill('x', token, undefined)
    await cluster.advance(1000)
    assert.deepEqual(cluster.keys('/wills/'), [])
    await b.kill()
    await cluster.advance(NOTICED_MS)
    assert.deepEqual(published, [])
  })

  it('are due when their owner said, once their client has gone', async () => {
    const [, b] = (await start('a', 'b')) as [SimNode, SimNode]
    const will = willOf(b, 300)
    const token = await claim(b, claimOf(will))
    const dueAtMs = cluster.clock.wallNow() + 100_000
    await cluster.settled(b.coordinator.setWill('x', token, will, dueAtMs))
    await b.kill()
    await cluster.advance(dueAtMs - cluster.clock.wallNow() - 1000)
    assert.deepEqual(published, [])
    await cluster.advance(20_000)
    assert.equal(published.length, 1)
  })

  it('are not published when their client is back elsewhere within the delay', async () => {
    cluster = new SimCluster(1, 'fresh')
    const [a, b] = (await start('a', 'b')) as [SimNode, SimNode]
    await claim(b, claimOf(willOf(b, 120)))
    await b.kill()
    await cluster.advance(40_000)
    await claim(a, claimOf(undefined))
    await cluster.advance(20 * 60_000)
    assert.deepEqual(published, [])
    assert.deepEqual(cluster.keys('/wills/'), [])
  })

  it('without delay are published though their client was back before the leader noticed', async () => {
    const [a, b] = (await start('a', 'b')) as [SimNode, SimNode]
    await claim(b, claimOf(willOf(b, 0), 0))
    await b.kill()
    await cluster.settled(cluster.revokeLeaseOf(b))
    await cluster.advance(100)
    await claim(a, claimOf(undefined, 0))
    await cluster.advance(NOTICED_MS)
    assert.equal(published.length, 1)
    assert.deepEqual(cluster.keys('/wills/'), [])
  })

  it('are published when a clean start elsewhere ends the session [MQTT-3.1.2-8]', async () => {
    const [a, b] = (await start('a', 'b')) as [SimNode, SimNode]
    await claim(b, claimOf(willOf(b, 86_400), 86_400))
    await b.kill()
    await cluster.advance(60_000)
    await claim(a, { ...claimOf(undefined), cleanStart: true })
    await cluster.advance(12 * 60_000)
    assert.equal(published.length, 1)
  })

  it('of a node that has left with nothing are none, and it is noted as drained until it is forgotten', async () => {
    const [, b] = (await start('a', 'b')) as [SimNode, SimNode]
    const token = await claim(b, claimOf(willOf(b, 0), 0))
    await b.coordinator.setWill('x', token, undefined)
    b.coordinator.release('x', token)
    await cluster.advance(1000)
    await cluster.settled(b.coordinator.leave(true))
    assert.equal(cluster.keys('/dead/b/').length, 1)
    await cluster.advance(20 * 60_000)
    assert.deepEqual(published, [])
    assert.deepEqual(cluster.keys('/dead/'), [])
  })

  it('wait for the next leader when the present one resigns', async () => {
    const [a, b, c] = (await start('a', 'b', 'c')) as [SimNode, SimNode, SimNode]
    const leader = [a, b, c].find(({ nodeId }) => nodeId === a.coordinator.leader) as SimNode
    const owner = [a, b, c].find(node => node !== leader) as SimNode
    await claim(owner, claimOf(willOf(owner, 60)))
    await owner.kill()
    await cluster.advance(30_000)
    leader.coordinator.resign()
    await cluster.advance(60_000 + 15_000)
    assert.equal(published.length, 1)
    assert.notEqual(published[0]?.split(' ')[0], leader.nodeId)
    assert.equal(leader.coordinator.leadership.previous.at(-1)?.leader, leader.nodeId)
  })
})
