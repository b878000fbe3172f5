import assert from 'node:assert/strict'
import type { FencingToken } from '../../src/core/ids.ts'
import { compareTokens } from '../../src/core/ids.ts'
import type { HistogramReading } from '../../src/core/ports/node-status.ts'
import type { ClaimAnswer } from '../../src/core/ports/session-ownership.ts'
import { SeededRandom } from '../../sim/ports/seeded-random.ts'
import { until } from '../contract/harness.ts'
import { CoordinationKeys } from '../../coordination/keys.ts'
import { decodeHandoffAnswer, encodeHandoffRequest } from '../../coordination/handoff-record.ts'
import { plainHolder } from './support/plain-holder.ts'
import { LEASE_TTL_MS, plainClaim, SimCluster, SimDisk, type SimNode } from './support/sim-cluster.ts'

type Claimed = Extract<ClaimAnswer, { status: 'claimed' }>

describe('Coordinator: session ownership', () => {
  let cluster: SimCluster

  beforeEach(() => {
    cluster = new SimCluster()
  })

  async function claimed(node: SimNode, clientId: string): Promise<Claimed> {
    const answer = await cluster.settled(node.claim(clientId))
    return answer.status === 'claimed' ? answer : assert.fail(`refused: ${answer.reason}`)
  }

  const takeoversOf = ({ coordinator }: SimNode): HistogramReading => coordinator.claimStats.takeovers.read()
  const ownersOf = (nodes: readonly SimNode[], clientId: string): string[] =>
    nodes.filter(node => node.holding.has(clientId)).map(({ nodeId }) => nodeId)

  it('claims a client id nobody has in one transaction', async () => {
    const [a] = (await cluster.start('a')) as [SimNode]
    const before = a.store.transactions
    const { token, resumableToken } = await claimed(a, 'x')
    assert.equal(resumableToken, undefined)
    assert.ok(token.epoch > 0 && token.revision > 0)
    assert.equal(a.store.transactions, before + 1)
  })

  it('answers a claim for what this process owns already without writing, under the same token', async () => {
    const [a] = (await cluster.start('a')) as [SimNode]
    const first = await claimed(a, 'x')
    const before = a.store.transactions
    const second = await claimed(a, 'x')
    assert.deepEqual(second, { ...first, resumableToken: first.token })
    assert.equal(a.store.transactions, before)
  })

  it('answers a node without a link, that asks for a session, only once it knows what is stored and staged here', async () => {
    const [a] = (await cluster.start('a')) as [SimNode]
    a.coordinator.serve(plainHolder(() => undefined))
    const keys = new CoordinationKeys('test')
    const [owner, claimant] = [a.coordinator, { nodeId: 'b', incarnation: 999 }]
    const key = `${keys.handoffsBetween({ nodeId: 'a', incarnation: owner.incarnation }, claimant)}1`
    const token = { epoch: 1, revision: 1 }
    const question = encodeHandoffRequest({ clientId: 'x', token, cleanStart: false, reaches: [] })
    const { leaseId } = await cluster.settled(a.store.grantLease(LEASE_TTL_MS))
    const success = [{ type: 'put', key, value: question, leaseId } as const]
    await cluster.settled(a.store.transact({ compare: [], success, failure: [] }))
    const answer = (): string | undefined =>
      decodeHandoffAnswer(cluster.service.state.get(key)?.value ?? new Uint8Array(0))
    await cluster.advance(1000)
    assert.equal(answer(), undefined)
    owner.resumeMoves()
    await cluster.advance(1000)
    assert.equal(answer(), 'consent')
  })

  it('takes a session from a live owner only after it has stopped serving it', async () => {
    const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
    const first = await claimed(a, 'x')
    let heldByAWhenAnswered: boolean | undefined
    const taking = b.claim('x').then(answer => {
      heldByAWhenAnswered = a.holding.has('x')
      return answer
    })
    const second = await cluster.settled(taking)
    assert.ok(second.status === 'claimed')
    assert.equal(heldByAWhenAnswered, false)
    assert.deepEqual(a.surrendered, ['x'])
    assert.ok(compareTokens(second.token, first.token) > 0)
    assert.equal(second.resumableToken, undefined)
  })

  it('leaves exactly one owner when two nodes race for one client id', async () => {
    const nodes = await cluster.start('a', 'b')
    const answers = await cluster.settled(Promise.all(nodes.map(node => node.claim('x'))))
    await cluster.advance(5000)
    assert.equal(ownersOf(nodes, 'x').length, 1)
    assert.ok(answers.some(({ status }) => status === 'claimed'))
  })

  it('never has two owners, and tokens that only rise, over many races with releases and cuts', async function () {
    this.timeout(60_000)
    /** Claims that changed the owner, and those of them by which it was not even told. */
    const seen = { claims: 0, takeovers: 0, unasked: 0 }
    for (let seed = 1; seed <= 20; seed++) {
      cluster = new SimCluster(seed * 100)
      const random = new SeededRandom(seed)
      const nodes = await cluster.start('a', 'b', 'c')
      const busy = new Set<string>()
      let last: FencingToken = { epoch: 0, revision: 0 }
      let takeovers = 0
      let owner: SimNode | undefined
      const claim = (node: SimNode): void => {
        if (busy.has(node.nodeId)) return
        busy.add(node.nodeId)
        void node.coordinator.claim(plainClaim('x')).then(answer => {
          busy.delete(node.nodeId)
          if (answer.status !== 'claimed') return
          seen.claims++
          if (owner !== node) {
            takeovers++
            if (owner?.holding.has('x') === true) seen.unasked++
            owner = node
          }
          if (answer.resumableToken === undefined || compareTokens(answer.token, last) !== 0) {
            assert.ok(compareTokens(answer.token, last) > 0, `seed ${seed}: token did not rise`)
          }
          last = answer.token
          node.holding.set('x', answer.token)
          const active = nodes.filter(other => other.holding.has('x') && other.coordinator.mayAcknowledge())
          assert.ok(active.length <= 1, `seed ${seed}: ${active.length} owners at ${cluster.clock.now()}`)
        })
      }
      // Most steps achieve nothing while the nodes are cut off: on until much has happened.
      for (let step = 0; step < 300 || takeovers < 15; step++) {
        assert.ok(step < 1500, `seed ${seed}: only ${takeovers} takeovers`)
        const node = nodes[random.uint32() % nodes.length] as SimNode
        const dice = random.uint32() % 22
        if (dice < 12) claim(node)
        else if (dice < 15 && !busy.has(node.nodeId)) node.release('x')
        else if (dice === 15) node.store.setContact('cut')
        else if (dice === 16) node.store.setContact(random.uint32() % 2 === 0 ? 'deaf' : 'mute')
        else if (dice === 17) node.store.answerDelayMs = random.uint32() % 900
        else if (dice === 18) void cluster.revokeLeaseOf(node)
        // Without its links a node has no promises, and consent to give through the store alone.
        else if (dice === 19) node.setMesh(false)
        else if (dice === 20) node.setMesh(true)
        else node.store.setContact('open')
        await cluster.advance(random.uint32() % (dice > 14 ? 4000 : 20))
      }
      for (const node of nodes) {
        node.setMesh(true)
        node.store.answerDelayMs = 0
        node.store.setContact('open')
      }
      await cluster.advance(60_000)
      const final = await claimed(nodes[0] as SimNode, 'x')
      assert.ok(compareTokens(final.token, last) >= 0)
      assert.deepEqual(ownersOf(nodes, 'x'), ['a'])
      seen.takeovers += takeovers
    }
    assert.ok(seen.claims > 800 && seen.takeovers >= 300 && seen.unasked > 15, JSON.stringify(seen))
  })

  it('refuses while the owner lives but cannot be asked, and takes over once it is gone', async () => {
    const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
    const first = await claimed(a, 'x')
    await a.kill()
    const refused = await cluster.settled(b.claim('x'))
    assert.deepEqual(refused, { status: 'refused', reason: 'owner-unreachable' })
    await cluster.advance(LEASE_TTL_MS)
    const second = await claimed(b, 'x')
    assert.ok(compareTokens(second.token, first.token) > 0)
  })

  it('measures how long it took from asking the owner until the session was its own', async () => {
    const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
    await claimed(a, 'x')
    assert.equal(takeoversOf(a).sum, 0)
    b.store.answerDelayMs = 300
    await claimed(b, 'x')
    const { counts, sum } = takeoversOf(b)
    assert.equal(
      counts.reduce((all, count) => all + count),
      1,
    )
    assert.ok(sum >= 0.3 && sum < 1, String(sum))
  })

  it('asks an owner whose link comes up within the claim', async () => {
    const [a] = (await cluster.start('a')) as [SimNode]
    await claimed(a, 'x')
    const b = cluster.create('b')
    await cluster.settled(b.coordinator.join(b.description))
    const claiming = b.claim('x')
    await cluster.advance(500)
    b.transport.start('b', b.coordinator.incarnation)
    b.transport.setMembers(b.coordinator.members.filter(({ nodeId }) => nodeId !== 'b'))
    assert.equal((await cluster.settled(claiming)).status, 'claimed')
    assert.deepEqual(a.surrendered, ['x'])
  })

  it('does not consent to give up a session whose claim is still being answered', async () => {
    const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
    a.store.answerDelayMs = 500
    const first = a.claim('x')
    await cluster.advance(5)
    const second = b.claim('x')
    await cluster.advance(400)
    assert.deepEqual(ownersOf([a, b], 'x'), [])
    assert.equal((await cluster.settled(first)).status, 'claimed')
    assert.equal((await cluster.settled(second)).status, 'claimed')
    assert.deepEqual(ownersOf([a, b], 'x'), ['b'])
    assert.deepEqual(a.surrendered, ['x'])
  })

  it('does not take a session without consent from an owner it has not heard of yet', async () => {
    const [b] = (await cluster.start('b')) as [SimNode]
    b.store.silenceWatches()
    const [a] = (await cluster.start('a')) as [SimNode]
    await claimed(a, 'x')
    assert.deepEqual(await cluster.settled(b.claim('x')), { status: 'refused', reason: 'owner-unreachable' })
    assert.deepEqual(ownersOf([a, b], 'x'), ['a'])
    b.store.setContact('open')
    await cluster.advance(200)
    await claimed(b, 'x')
    assert.deepEqual(ownersOf([a, b], 'x'), ['b'])
  })

  it('writes nothing under a lease that is gone, even before it has heard of that', async () => {
    const [a] = (await cluster.start('a')) as [SimNode]
    const revoking = cluster.revokeLeaseOf(a)
    assert.equal(a.coordinator.mayAcknowledge(), true)
    const claiming = a.claim('x')
    await cluster.settled(revoking)
    assert.deepEqual(await cluster.settled(claiming), { status: 'refused', reason: 'suspended' })
    assert.deepEqual(cluster.keys('/sessions/'), [])
  })

  it('does not trust an answer that comes after the lease it was claimed under was lost', async () => {
    const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
    a.store.answerDelayMs = 500
    const first = a.claim('x')
    await cluster.advance(5)
    assert.equal(cluster.keys('/sessions/').length, 1)
    await cluster.settled(cluster.revokeLeaseOf(a))
    await until(cluster, 'a suspends', () => a.coordinator.isSuspended, 20)
    a.store.setContact('cut')
    await claimed(b, 'x')
    assert.equal((await cluster.settled(first)).status, 'refused')
    assert.deepEqual(ownersOf([a, b], 'x'), ['b'])
  })

  it('makes a swap that comes late fail, when the client has returned to the owner after its consent', async () => {
    const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
    await claimed(a, 'x')
    const taking = b.claim('x')
    await until(cluster, 'a consents', () => a.surrendered.length === 1)
    // b's swap is held up, and the client comes back to a.
    b.store.setContact('cut')
    assert.equal((await claimed(a, 'x')).status, 'claimed')
    b.store.setContact('open')
    await cluster.settled(taking)
    assert.equal(ownersOf([a, b], 'x').length, 1)
    assert.ok(a.surrendered.length === 2 || a.holding.has('x'))
  })

  it('refuses while the coordination store does not answer', async () => {
    const [a] = (await cluster.start('a')) as [SimNode]
    a.store.setContact('cut')
    assert.deepEqual(await cluster.settled(a.claim('x')), { status: 'refused', reason: 'unavailable' })
  })

  describe('resumable tokens', () => {
    async function restarted(node: SimNode): Promise<SimNode> {
      await cluster.settled(node.coordinator.leave())
      await node.transport.close()
      const [again] = (await cluster.start(node.nodeId)) as [SimNode]
      return again
    }

    it('is that of the node’s earlier life when nobody owned the session in between', async () => {
      const [a] = (await cluster.start('a')) as [SimNode]
      const first = await claimed(a, 'x')
      const second = await claimed(await restarted(a), 'x')
      assert.deepEqual(second.resumableToken, first.token)
      assert.ok(compareTokens(second.token, first.token) > 0)
    })

    it('is none when another node owned it in between, whether or not it gave it back', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
      await claimed(a, 'kept')
      await claimed(a, 'returned')
      const again = await restarted(a)
      await claimed(b, 'kept')
      await claimed(b, 'returned')
      b.release('returned')
      await cluster.advance(1000)
      assert.equal((await claimed(again, 'kept')).resumableToken, undefined)
      assert.equal((await claimed(again, 'returned')).resumableToken, undefined)
    })

    it('survives a claim whose outcome was unknown and which was refused', async () => {
      const disk = new SimDisk('d')
      const a = cluster.create('a', disk)
      await cluster.settled(a.join())
      const first = await claimed(a, 'x')
      await a.kill()
      const again = cluster.create('a', disk)
      await cluster.settled(again.join())
      again.store.setContact('mute')
      assert.deepEqual(await cluster.settled(again.claim('x')), { status: 'refused', reason: 'unavailable' })
      const [key] = cluster.keys('/sessions/') as [string]
      const entry = cluster.service.state.get(key)
      assert.ok(entry !== undefined && entry.modRevision > first.token.revision, 'a write was carried out')
      again.store.setContact('open')
      await cluster.advance(100)
      const second = await claimed(again, 'x')
      assert.deepEqual(second.resumableToken, first.token)
    })

    it('says which stored sessions were superseded', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
      const stored = []
      for (const clientId of ['same', 'taken', 'gone', '__proto__']) {
        stored.push({ clientId, token: (await claimed(a, clientId)).token })
      }
      a.release('gone')
      await cluster.advance(1000)
      const again = await restarted(a)
      await claimed(b, 'taken')
      const superseded = await cluster.settled(again.coordinator.verifyStored(stored))
      assert.deepEqual(superseded.sort(), ['gone', 'taken'])
      assert.deepEqual(await cluster.settled(again.coordinator.verifyStored([])), [])
    })

    it('are renewed where an earlier life on this disk claimed the session again and died before its disk had that', async () => {
      const live = async (disk: SimDisk): Promise<SimNode> => {
        const node = cluster.create('a', disk)
        await cluster.settled(node.join())
        return node
      }
      const disk = new SimDisk('d')
      const first = await live(disk)
      const stored = []
      for (const clientId of ['lasting', 'clean', 'elsewhere'])
        stored.push({ clientId, token: (await claimed(first, clientId)).token })
      await first.kill()
      const second = await live(disk)
      const { token } = await claimed(second, 'lasting')
      await cluster.settled(second.claim('clean', { cleanStart: true }))
      await second.kill()
      const third = await live(disk)
      const renewed = new Map<string, FencingToken>()
      third.coordinator.serve({
        ...plainHolder(() => {}),
        renew: (clientId, newer) => void renewed.set(clientId, newer),
      })
      assert.deepEqual(await cluster.settled(third.coordinator.verifyStored(stored)), ['clean'])
      assert.deepEqual([...renewed], [['lasting', token]])
      await third.kill()
      // What goes on from another disk is not what is on this one.
      const away = await live(new SimDisk('another'))
      await claimed(away, 'elsewhere')
      await away.kill()
      const back = await live(disk)
      const superseded = await cluster.settled(back.coordinator.verifyStored(stored.slice(2)))
      assert.deepEqual(superseded, ['elsewhere'])
    })

    it('are given up when they were taken while the node was away for a moment, claimed by it in this life or not', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
      const stored = []
      for (const clientId of ['taken', 'kept'])
        stored.push({ clientId, token: (await claimed(a, clientId)).token })
      const again = await restarted(a)
      again.unclaimed.push(...stored)
      again.store.setContact('cut')
      await cluster.settled(cluster.revokeLeaseOf(again))
      await cluster.advance(100)
      assert.equal((await cluster.settled(b.claim('taken', { cleanStart: true }))).status, 'claimed')
      again.store.setContact('open')
      await cluster.advance(5000)
      assert.deepEqual(again.surrendered, ['taken'])
    })

    it('are not given up when they have been given away while they were looked up', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
      const stored = [{ clientId: 'x', token: (await claimed(a, 'x')).token }]
      const again = await restarted(a)
      await claimed(b, 'x')
      const surrendered: string[] = []
      let lookUps = 0
      again.coordinator.serve({
        ...plainHolder(clientId => surrendered.push(clientId)),
        unclaimed: () => (lookUps++ === 0 ? stored : []),
      })
      await cluster.settled(cluster.revokeLeaseOf(again))
      await cluster.advance(5000)
      assert.deepEqual([lookUps, surrendered], [2, []])
    })

    it('verifies more sessions than fit into one transaction', async () => {
      const [a] = (await cluster.start('a')) as [SimNode]
      const { epoch } = (await claimed(a, 'x')).token
      const stored = Array.from({ length: 1500 }, (_, i) => ({
        clientId: `c${i}`,
        token: { epoch, revision: 7 },
      }))
      assert.equal((await cluster.settled(a.coordinator.verifyStored(stored))).length, 1500)
    })
  })

  describe('releases', () => {
    it('deletes the record, later', async () => {
      const [a] = (await cluster.start('a')) as [SimNode]
      await claimed(a, 'x')
      assert.equal(cluster.keys('/sessions/').length, 1)
      a.release('x')
      await cluster.advance(1000)
      assert.deepEqual(cluster.keys('/sessions/'), [])
    })

    it('does not touch the record of the node that took the session', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
      const { token } = await claimed(a, 'x')
      await claimed(b, 'x')
      a.coordinator.release('x', token)
      await cluster.advance(1000)
      assert.equal(cluster.keys('/sessions/').length, 1)
      assert.equal((await claimed(b, 'x')).status, 'claimed')
    })

    it('does not touch a session that was claimed again meanwhile', async () => {
      const [a] = (await cluster.start('a')) as [SimNode]
      for (let i = 0; i < 20; i++) {
        await claimed(a, 'x')
        a.release('x')
        await cluster.advance(i * 5)
      }
      await claimed(a, 'x')
      await cluster.advance(1000)
      assert.equal(cluster.keys('/sessions/').length, 1)
    })

    it('is repeated until the store answers', async () => {
      const [a] = (await cluster.start('a')) as [SimNode]
      await claimed(a, 'x')
      a.store.setContact('cut')
      a.release('x')
      await cluster.advance(5000)
      assert.equal(cluster.keys('/sessions/').length, 1)
      a.store.setContact('open')
      await until(cluster, 'the record is deleted', () => cluster.keys('/sessions/').length === 0, 20_000)
    })

    it('is sent before the node leaves', async () => {
      const [a] = (await cluster.start('a')) as [SimNode]
      await Promise.all(Array.from({ length: 250 }, (_, i) => claimed(a, `c${i}`)))
      for (let i = 0; i < 250; i++) a.release(`c${i}`)
      await cluster.settled(a.coordinator.leave())
      assert.deepEqual(cluster.keys('/sessions/'), [])
      assert.deepEqual(cluster.keys('/members/'), [])
    })
  })

  it('keeps client ids apart that are property names, contain slashes or any script', async () => {
    const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
    const clientIds = [
      '__proto__',
      'constructor',
      'hasOwnProperty',
      'toString',
      'a/b',
      'a',
      '/',
      '漢字 😀',
      ' ',
    ]
    for (const clientId of clientIds) assert.equal((await claimed(a, clientId)).resumableToken, undefined)
    for (const clientId of clientIds) await claimed(b, clientId)
    assert.deepEqual(a.surrendered, clientIds)
    assert.deepEqual([...b.holding.keys()], clientIds)
  })

  it('serves ten thousand claims at once', async function () {
    this.timeout(20_000)
    const [a] = (await cluster.start('a')) as [SimNode]
    const clientIds = Array.from({ length: 10_000 }, (_, i) => `c${i}`)
    const answers = await cluster.settled(Promise.all(clientIds.map(clientId => a.claim(clientId))))
    assert.ok(answers.every(({ status }) => status === 'claimed'))
  })

  it('closes the link of a peer that sends what it does not understand', async () => {
    const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
    for (const frame of ['', 'x', '{"v":2}', '{"v":1,"type":"request","id":1}', '[]', 'null']) {
      assert.equal(a.transport.isUp('b'), true)
      a.transport.send('b', 'session', new TextEncoder().encode(frame))
      await cluster.advance(5)
      assert.equal(b.transport.isUp('a'), false, frame)
      await cluster.advance(200)
    }
    await claimed(a, 'x')
    await claimed(b, 'x')
  })
})
