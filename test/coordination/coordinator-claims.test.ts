import assert from 'node:assert/strict'
import { decodeOwnership, type StoredOwnership } from '../../coordination/session-record.ts'
import { decodeWill } from '../../coordination/will-record.ts'
import type { ClientId } from '../../src/core/ids.ts'
import { compareTokens } from '../../src/core/ids.ts'
import type { CoordinationTransaction } from '../../src/core/ports/coordination-store.ts'
import type { WillRecord } from '../../src/core/ports/session-journal.ts'
import type { ClaimAnswer, ClaimRequest } from '../../src/core/ports/session-ownership.ts'
import { SeededRandom } from '../../sim/ports/seeded-random.ts'
import { until } from '../contract/harness.ts'
import { LEASE_TTL_MS, SimCluster, type SimNode } from './support/sim-cluster.ts'

type Claimed = Extract<ClaimAnswer, { status: 'claimed' }>

const kept: Partial<ClaimRequest> = { expiryIntervalSeconds: 3600 }

function willOf(topic: string, number: number): WillRecord {
  const publication = {
    topic,
    payload: new TextEncoder().encode('gone'),
    qos: 1,
    retain: false,
    properties: undefined,
    expiresAtMs: undefined,
    publisher: 'x',
    id: { incarnation: 7, number },
  } as const
  return { publication, messageExpirySeconds: undefined, delaySeconds: 0 }
}

describe('Coordinator: claims', () => {
  let cluster: SimCluster

  beforeEach(() => {
    cluster = new SimCluster()
  })

  async function claimed(
    node: SimNode,
    clientId: string,
    request: Partial<ClaimRequest> = {},
  ): Promise<Claimed> {
    const answer = await cluster.settled(node.claim(clientId, request))
    return answer.status === 'claimed' ? answer : assert.fail(`refused: ${answer.reason}`)
  }

  async function refused(
    node: SimNode,
    clientId: string,
    request: Partial<ClaimRequest> = {},
  ): Promise<string> {
    const answer = await cluster.settled(node.claim(clientId, request))
    return answer.status === 'refused' ? answer.reason : assert.fail('claimed')
  }

  function recordOf(clientId: ClientId): StoredOwnership | undefined {
    const [key] = cluster.keys('/sessions/').filter(name => name.endsWith(`/${clientId}`))
    const entry = key === undefined ? undefined : cluster.service.state.get(key)
    return entry && decodeOwnership(entry)
  }

  function willTopicOf(node: SimNode, clientId: ClientId): string | undefined {
    const key = `/grapevine/test/wills/${node.nodeId}/${node.coordinator.incarnation}/${clientId}`
    const entry = cluster.service.state.get(key)
    return entry && decodeWill(entry.value)?.will?.publication.topic
  }

  /** Its process is gone, and the others know. */
  async function died(node: SimNode): Promise<void> {
    await node.kill()
    await cluster.settled(cluster.revokeLeaseOf(node))
    await cluster.advance(100)
  }

  async function back(nodeId: string): Promise<SimNode> {
    const [node] = (await cluster.start(nodeId)) as [SimNode]
    return node
  }

  const ownersOf = (nodes: readonly SimNode[], clientId: string): string[] =>
    nodes.filter(node => node.holding.has(clientId)).map(({ nodeId }) => nodeId)

  describe('batches', () => {
    /** What a node sends, by transaction: the keys its nested transactions put. */
    function watchBatches(node: SimNode): string[][] {
      const batches: string[][] = []
      const transact = node.store.transact.bind(node.store)
      node.store.transact = (transaction: CoordinationTransaction) => {
        const nested = transaction.success.filter(({ type }) => type === 'transaction')
        batches.push(
          nested.flatMap(operation =>
            operation.type === 'transaction'
              ? operation.transaction.success.map(inner => ('key' in inner ? inner.key : ''))
              : [],
          ),
        )
        return transact(transaction)
      }
      return batches
    }

    it('put many claims that come at once into few transactions, none with a key twice', async () => {
      const [a] = (await cluster.start('a')) as [SimNode]
      a.store.answerDelayMs = 5
      const batches = watchBatches(a)
      const answers = Array.from({ length: 1000 }, (_, i) => a.claim(`c${i}`))
      await cluster.settled(Promise.all(answers))
      assert.ok(batches.length <= 12, `${batches.length} transactions`)
      for (const keys of batches) {
        assert.ok(keys.length <= 120)
        assert.equal(new Set(keys).size, keys.length)
      }
      assert.equal(a.holding.size, 1000)
      const { batches: counted, batchedOperations, claims, claimed: won } = a.coordinator.claimStats
      assert.deepEqual([counted, batchedOperations, claims, won], [batches.length, 1000, 1000, 1000])
    })

    it('send a lone claim at once', async () => {
      const [a] = (await cluster.start('a')) as [SimNode]
      const claiming = a.claim('x')
      await cluster.advance(2)
      assert.ok(a.holding.has('x'))
      await claiming
    })

    it('hold claims nobody refuses beside one that loses', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
      await claimed(b, 'c7')
      const clientIds = Array.from({ length: 50 }, (_, i) => `c${i}`)
      await cluster.settled(Promise.all(clientIds.map(clientId => a.claim(clientId))))
      assert.deepEqual([...a.holding.keys()].sort(), clientIds.sort())
      assert.deepEqual(b.surrendered, ['c7'])
    })

    it('carry out what concerns one client id in the order asked for', async () => {
      const [a] = (await cluster.start('a')) as [SimNode]
      const { token } = await claimed(a, 'x')
      a.store.answerDelayMs = 20
      const first = a.coordinator.setWill('x', token, willOf('first', 1))
      await cluster.advance(5)
      const last = a.coordinator.setWill('x', token, willOf('last', 2))
      assert.deepEqual(await cluster.settled(Promise.all([first, last])), [true, true])
      assert.equal(willTopicOf(a, 'x'), 'last')
    })

    it('of unknown outcome are read back, claim by claim', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
      a.store.setContact('deaf')
      const clientIds = Array.from({ length: 30 }, (_, i) => `c${i}`)
      const claims = clientIds.map(clientId => a.claim(clientId))
      await until(cluster, 'the batch is carried out', () => cluster.keys('/sessions/').length === 30)
      a.store.setContact('open')
      const answers = await cluster.settled(Promise.all(claims))
      for (const [index, answer] of answers.entries()) {
        assert.ok(answer.status === 'claimed')
        assert.deepEqual(recordOf(clientIds[index] ?? '')?.token, answer.token)
      }
      assert.equal(a.coordinator.claimStats.unknownBatches, 1)
      await claimed(b, 'c3')
      assert.deepEqual(a.surrendered, ['c3'])
    })

    it('are refused whole when the lease they are sent under is gone', async () => {
      const [a] = (await cluster.start('a')) as [SimNode]
      const revoking = cluster.revokeLeaseOf(a)
      const claims = ['x', 'y', 'z'].map(clientId => a.claim(clientId))
      await cluster.settled(revoking)
      for (const answer of await cluster.settled(Promise.all(claims))) {
        assert.deepEqual(answer, { status: 'refused', reason: 'suspended' })
      }
      assert.deepEqual(cluster.keys('/sessions/'), [])
    })
  })

  it('leaves exactly one owner of each session when three nodes race for many', async () => {
    for (let seed = 1; seed <= 5; seed++) {
      cluster = new SimCluster(seed * 10)
      const random = new SeededRandom(seed)
      const nodes = await cluster.start('a', 'b', 'c')
      const clientIds = Array.from({ length: 40 }, (_, i) => `c${i}`)
      for (const node of nodes) node.store.answerDelayMs = random.uint32() % 20
      const races = nodes.flatMap(node => clientIds.map(clientId => node.claim(clientId, kept)))
      const answers = await cluster.settled(Promise.all(races))
      assert.ok(answers.filter(({ status }) => status === 'claimed').length >= clientIds.length)
      for (const clientId of clientIds) {
        const [owner, ...others] = ownersOf(nodes, clientId)
        assert.deepEqual(others, [], `seed ${seed}, ${clientId}`)
        assert.equal(recordOf(clientId)?.node, owner)
      }
    }
  })

  it('records who owns a session since when, how it came by it, and how long it is kept', async () => {
    const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
    await claimed(a, 'x', kept)
    const sinceMs = cluster.clock.wallNow()
    const first = recordOf('x')
    assert.equal(first?.node, 'a')
    assert.equal(first.incarnation, a.coordinator.incarnation)
    assert.deepEqual([first.expiry, first.how, first.from], [3600, 'new', undefined])
    assert.ok(Math.abs(first.sinceMs - sinceMs) < 1000)
    await claimed(b, 'x', kept)
    assert.deepEqual([recordOf('x')?.how, recordOf('x')?.from], ['moved', 'a'])
    await claimed(a, 'x', { cleanStart: true })
    assert.deepEqual([recordOf('x')?.how, recordOf('x')?.expiry], ['clean', 0])
  })

  it('keeps records within the size the store is planned for', async () => {
    const [a] = (await cluster.start('node-10')) as [SimNode]
    await claimed(a, 'x', { expiryIntervalSeconds: 0xffff_ffff })
    const [key = ''] = cluster.keys('/sessions/')
    const bytes = cluster.service.state.get(key)?.value.byteLength ?? 0
    assert.ok(bytes > 100 && bytes <= 170, `${bytes} bytes`)
  })

  describe('of sessions whose owner is dead', () => {
    it('succeed at once when the client starts clean, or the session kept nothing', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
      await claimed(a, 'clean', kept)
      await claimed(a, 'empty')
      await died(a)
      await claimed(b, 'clean', { ...kept, cleanStart: true })
      await claimed(b, 'empty', kept)
      assert.equal(recordOf('clean')?.how, 'clean')
      assert.equal(b.coordinator.claimStats.sessionsLost, 0)
    })

    it('leave a note of what was taken, in the very transaction', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
      await claimed(a, 'x', kept)
      const { incarnation } = a.coordinator
      await died(a)
      b.store.setContact('mute')
      const claiming = b.claim('x', { cleanStart: true })
      await until(cluster, 'the record is swapped', () => recordOf('x')?.node === 'b')
      assert.deepEqual(cluster.keys('/lost/'), [`/grapevine/test/lost/a/${incarnation}/x`])
      b.store.setContact('open')
      await cluster.settled(claiming)
    })

    it('leave no note when the owner lived and consented', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
      await claimed(a, 'x', kept)
      await claimed(b, 'x', kept)
      assert.deepEqual(cluster.keys('/lost/'), [])
    })

    it('are refused while sessions.onOwnerLost is wait, and granted by the owner once it is back', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
      const first = await claimed(a, 'x', kept)
      await died(a)
      await cluster.advance(10 * LEASE_TTL_MS)
      assert.equal(await refused(b, 'x', kept), 'owner-lost')
      assert.equal(b.coordinator.claimStats.refused['owner-lost'], 1)
      const again = await back('a')
      const second = await claimed(b, 'x', kept)
      assert.deepEqual(again.surrendered, ['x'])
      assert.ok(compareTokens(second.token, first.token) > 0)
      assert.equal(recordOf('x')?.how, 'moved')
      assert.deepEqual(cluster.keys('/lost/'), [])
    })

    it('give the state up one lease TTL after the death while sessions.onOwnerLost is fresh', async () => {
      cluster = new SimCluster(1, 'fresh')
      const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
      await claimed(a, 'x', kept)
      await died(a)
      await cluster.advance(LEASE_TTL_MS - 1000)
      assert.equal(await refused(b, 'x', kept), 'owner-lost')
      await cluster.advance(1000)
      const { resumableToken, isTransferred } = await claimed(b, 'x', kept)
      assert.deepEqual([resumableToken, isTransferred], [undefined, false])
      assert.equal(recordOf('x')?.how, 'owner-lost')
      assert.equal(b.coordinator.claimStats.sessionsLost, 1)
    })

    it('count the grace anew when the owner was back in between', async () => {
      cluster = new SimCluster(1, 'fresh')
      const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
      await claimed(a, 'x', kept)
      a.store.setContact('cut')
      await cluster.settled(cluster.revokeLeaseOf(a))
      await cluster.advance(LEASE_TTL_MS - 1000)
      a.store.setContact('open')
      await until(cluster, 'a is back', () => !a.coordinator.isSuspended)
      await cluster.advance(100)
      await died(a)
      await cluster.advance(LEASE_TTL_MS - 1000)
      assert.equal(await refused(b, 'x', kept), 'owner-lost')
    })

    for (const policy of ['wait', 'fresh'] as const) {
      it(`need no grace after the owner was drained (${policy})`, async () => {
        cluster = new SimCluster(1, policy)
        const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
        await claimed(a, 'x', kept)
        const key = `/grapevine/test/dead/a/${a.coordinator.incarnation}`
        const value = new TextEncoder().encode('{"atMs":0,"drained":true}')
        await cluster.settled(
          b.store.transact({ compare: [], success: [{ type: 'put', key, value }], failure: [] }),
        )
        await died(a)
        await claimed(b, 'x', kept)
        assert.equal(b.coordinator.claimStats.sessionsLost, 0)
      })
    }

    it('are asked for through the store while that node is a member again but has no link', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
      await claimed(a, 'x', kept)
      await died(a)
      const again = cluster.create('a')
      await cluster.settled(again.coordinator.join(again.description))
      again.coordinator.resumeMoves()
      assert.equal(await refused(b, 'x', kept), 'owner-unreachable', 'nobody can carry the state over')
      await claimed(b, 'x', { cleanStart: true })
      again.store.setContact('cut')
      const c = cluster.create('c')
      await cluster.settled(c.coordinator.join(c.description))
      await claimed(c, 'y', kept)
      c.store.setContact('cut')
      assert.equal(await refused(b, 'y', { cleanStart: true }), 'owner-unreachable')
    })

    it('are taken as soon as the owner that was asked through the store is gone', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
      await claimed(a, 'x', kept)
      await a.kill()
      await cluster.advance(LEASE_TTL_MS - 2000)
      const claiming = b.claim('x', { cleanStart: true })
      await until(cluster, 'it is asked', () => b.coordinator.sessionHandoffs.asked === 1, 3000)
      const before = cluster.clock.now()
      assert.equal((await cluster.settled(claiming)).status, 'claimed')
      assert.ok(cluster.clock.now() - before < 2500)
    })
  })

  describe('wills', () => {
    const will = willOf('will/x', 1)

    it('are kept in the transaction of the claim', async () => {
      const [a] = (await cluster.start('a')) as [SimNode]
      a.store.setContact('mute')
      const claiming = a.claim('x', { will })
      await until(cluster, 'the record is there', () => recordOf('x') !== undefined)
      assert.equal(willTopicOf(a, 'x'), 'will/x')
      a.store.setContact('open')
      await cluster.settled(claiming)
    })

    it('go with the session, to be replaced or dropped by the new owner', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
      await claimed(a, 'x', { ...kept, will })
      await claimed(b, 'x', { ...kept, will: willOf('will/y', 2) })
      assert.deepEqual([willTopicOf(a, 'x'), willTopicOf(b, 'x')], [undefined, 'will/y'])
      await claimed(a, 'x', kept)
      assert.deepEqual(cluster.keys('/wills/'), [])
    })

    it('stay where a session ended with its dead owner: they are due [MQTT-3.1.2-8]', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
      await claimed(a, 'x', { ...kept, will })
      await died(a)
      await claimed(b, 'x', { cleanStart: true })
      assert.equal(willTopicOf(a, 'x'), 'will/x')
    })

    it('are replaced or dropped while the client stays where it is', async () => {
      const [a] = (await cluster.start('a')) as [SimNode]
      const { token } = await claimed(a, 'x', { ...kept, will })
      const { setWill } = a.coordinator
      const put = (wish: WillRecord | undefined): Promise<boolean> =>
        setWill.call(a.coordinator, 'x', token, wish)
      assert.equal(await cluster.settled(put(willOf('will/2', 2))), true)
      assert.equal(willTopicOf(a, 'x'), 'will/2')
      assert.equal(await put(undefined), true)
      await cluster.advance(100)
      assert.deepEqual(cluster.keys('/wills/'), [])
      assert.deepEqual(recordOf('x')?.token, token)
    })

    it('are not kept when the store does not answer, or the session is another’s by now', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
      const { token } = await claimed(a, 'x', kept)
      a.store.setContact('cut')
      assert.equal(await cluster.settled(a.coordinator.setWill('x', token, will)), false)
      a.store.setContact('open')
      await claimed(b, 'x', kept)
      assert.equal(await cluster.settled(a.coordinator.setWill('x', token, will)), false)
      await cluster.advance(10_000)
      assert.deepEqual(cluster.keys('/wills/'), [])
    })

    it('are deleted with the record when the session is released', async () => {
      const [a] = (await cluster.start('a')) as [SimNode]
      await claimed(a, 'x', { will })
      a.release('x')
      await cluster.advance(1000)
      assert.deepEqual([...cluster.keys('/wills/'), ...cluster.keys('/sessions/')], [])
    })
  })

  describe('expiry intervals', () => {
    it('are rewritten lazily under the same token, and released at the new revision', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
      const { token } = await claimed(a, 'x', kept)
      const before = recordOf('x')
      a.coordinator.setExpiry('x', token, 60)
      await cluster.advance(100)
      const after = recordOf('x')
      assert.equal(after?.expiry, 60)
      assert.deepEqual([after.token, after.how, after.sinceMs], [token, 'new', before?.sinceMs])
      assert.ok(after.modRevision > token.revision)
      const moved = await claimed(b, 'x', kept)
      assert.ok(compareTokens(moved.token, token) > 0)
      b.coordinator.setExpiry('x', moved.token, 61)
      await cluster.advance(100)
      b.release('x')
      await cluster.advance(1000)
      assert.deepEqual(cluster.keys('/sessions/'), [])
    })

    it('are written once the store answers again', async () => {
      const [a] = (await cluster.start('a')) as [SimNode]
      const { token } = await claimed(a, 'x', kept)
      a.store.setContact('cut')
      a.coordinator.setExpiry('x', token, 60)
      await cluster.advance(4000)
      assert.equal(recordOf('x')?.expiry, 3600)
      a.store.setContact('open')
      await until(cluster, 'it is written', () => recordOf('x')?.expiry === 60, 10_000)
    })

    it('are not written to a session that has left', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
      const { token } = await claimed(a, 'x', kept)
      a.store.setContact('cut')
      a.coordinator.setExpiry('x', token, 60)
      const moved = await claimed(b, 'x', kept)
      a.store.setContact('open')
      await cluster.advance(10_000)
      assert.deepEqual([recordOf('x')?.token, recordOf('x')?.expiry], [moved.token, 3600])
    })
  })
})
