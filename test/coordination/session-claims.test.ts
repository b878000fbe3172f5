import assert from 'node:assert/strict'
import type { StoredOwnership } from '../../coordination/session-record.ts'
import { decodeWill } from '../../coordination/will-record.ts'
import type { ClientId, FencingToken } from '../../src/core/ids.ts'
import { compareTokens } from '../../src/core/ids.ts'
import { Claimant, keys, Rig, willRecord } from './support/claims-rig.ts'

describe('SessionClaims', () => {
  let rig: Rig
  let a: Claimant
  let b: Claimant

  beforeEach(async () => {
    rig = new Rig()
    a = new Claimant(rig, 'a')
    b = new Claimant(rig, 'b')
    await rig.enter(a, 'a', 100)
    await rig.enter(b, 'b', 101)
  })

  it('takes nothing from an absent incarnation that was promised to be left alone, not even clean', async () => {
    await rig.token(a, 'x')
    await rig.die('a')
    b.mayTake = false
    for (const cleanStart of [false, true]) {
      assert.deepEqual(await rig.claim(b, 'x', 0, cleanStart), {
        status: 'refused',
        reason: 'owner-unreachable',
      })
    }
    assert.equal(rig.recordOf('x')?.node, 'a')
    b.mayTake = true
    assert.equal((await rig.claim(b, 'x', 0, true)).status, 'claimed')
  })

  it('asks once more in the turn in which the batch leaves', async () => {
    await rig.token(a, 'x')
    await rig.die('a')
    const claiming = b.claims.claim({
      clientId: 'x',
      cleanStart: true,
      expiryIntervalSeconds: 0,
      will: undefined,
    })
    // Asked by the claim itself the answer is yes, and no from then on.
    let asked = 0
    b.mayTakeNow = () => ++asked === 1
    assert.deepEqual(await rig.settled(claiming), { status: 'refused', reason: 'owner-unreachable' })
    assert.ok(asked > 1)
    assert.equal(rig.recordOf('x')?.node, 'a')
  })

  it('takes a session of the dead whose expiry interval has run out since', async () => {
    await rig.token(a, 'x')
    await rig.put(keys.dead('a', 100), JSON.stringify({ atMs: rig.clock.wallNow(), drained: false }))
    await rig.die('a')
    assert.deepEqual(await rig.claim(b, 'x'), { status: 'refused', reason: 'owner-lost' })
    await rig.advance(3_600_000 + 11_000)
    assert.equal((await rig.claim(b, 'x')).status, 'claimed')
    assert.equal(b.claims.stats.sessionsLost, 0)
  })

  describe('of an earlier life of a node that may still act', () => {
    it('are refused to the later life of that node on another data directory', async () => {
      await rig.token(a, 'x')
      await rig.die('a')
      const again = new Claimant(rig, 'a')
      await rig.enter(again, 'a', 102)
      again.mayTake = false
      for (const cleanStart of [false, true]) {
        assert.deepEqual(await rig.claim(again, 'x', 0, cleanStart), {
          status: 'refused',
          reason: 'owner-unreachable',
        })
      }
      assert.equal(rig.recordOf('x')?.incarnation, 100)
      again.mayTake = true
      assert.equal((await rig.claim(again, 'x')).status, 'claimed')
    })

    it('are refused to others, though the later life would consent', async () => {
      await rig.token(a, 'x')
      await rig.die('a')
      await rig.enter(new Claimant(rig, 'a'), 'a', 102)
      b.answer = 'consent'
      b.mayTake = false
      assert.deepEqual(await rig.claim(b, 'x'), { status: 'refused', reason: 'owner-unreachable' })
      assert.equal(rig.recordOf('x')?.incarnation, 100)
      b.mayTake = true
      assert.equal((await rig.claim(b, 'x')).status, 'claimed')
    })
  })

  it('keeps a longer life of a session before it answers, where the record says that it has none', async () => {
    const answer = await rig.claim(a, 'x', 0)
    assert.ok(answer.status === 'claimed')
    assert.equal((await rig.claim(a, 'x', 60)).status, 'claimed')
    assert.equal(rig.recordOf('x')?.expiry, 60)
    a.claims.setExpiry('x', answer.token, 5)
    // The change is on its way when the client comes back with what it had.
    assert.equal((await rig.claim(a, 'x', 60)).status, 'claimed')
    await rig.advance(1000)
    assert.equal(rig.recordOf('x')?.expiry, 60)
  })

  it('has the store forget with the process what ended with it, which leaves no will behind', async () => {
    const { state } = rig.service
    const before = state.revision
    await rig.claim(a, 'kept')
    await rig.claim(a, 'clean', 0)
    await rig.claim(a, 'with-will', 0, false, willRecord(1))
    const answer = await rig.claim(a, 'made-clean')
    a.claims.setExpiry('made-clean', answer.status === 'claimed' ? answer.token : assert.fail(), 0)
    await rig.advance(1000)
    const events = state.changesBetween(before, state.revision)?.flatMap(change => change.events) ?? []
    const volatile = events.filter(({ isVolatile }) => isVolatile).map(e => e.type === 'put' && e.entry.key)
    assert.deepEqual(volatile, [keys.session('clean'), keys.session('made-clean')])
  })

  describe('budget for kept wills', () => {
    const keep = async (claimant: Claimant, clientId: ClientId, number: number): Promise<FencingToken> => {
      const answer = await rig.claim(claimant, clientId, 3600, false, willRecord(number))
      return answer.status === 'claimed' ? answer.token : assert.fail(answer.reason)
    }

    beforeEach(() => {
      // Room for two of 34 B of header, 8 B of names and lengths, and 100 B.
      a = new Claimant(rig, 'a', { keptWillBytesMax: 300 })
      a.claims.start(100, 1)
    })

    it('leaves to their node alone the wills it has no room for, counts them and says so once', async () => {
      for (const number of [1, 2, 3, 4]) await keep(a, `c${number}`, number)
      const kept = [1, 2, 3, 4].map(number => rig.willOf('a', 100, `c${number}`))
      assert.deepEqual(kept, [1, 2, 'left out', 'left out'])
      assert.equal(a.claims.stats.willsLeftOut, 2)
      assert.equal(a.logger.lines.filter(line => line.includes('keptWillBytesMax')).length, 1)
    })

    it('has room again for what was given up', async () => {
      const token = await keep(a, 'c1', 1)
      const other = await keep(a, 'c2', 2)
      await rig.settled(a.claims.setWill('c1', token, willRecord(11)))
      assert.equal(rig.willOf('a', 100, 'c1'), 11)
      await rig.settled(a.claims.setWill('c1', token, undefined))
      await keep(a, 'c3', 3)
      assert.equal(rig.willOf('a', 100, 'c3'), 3)
      a.claims.release('c2', other)
      a.claims.surrender(['c3'])
      for (const number of [4, 5]) await keep(a, `c${number}`, number)
      assert.deepEqual([rig.willOf('a', 100, 'c4'), rig.willOf('a', 100, 'c5')], [4, 5])
      assert.equal(a.claims.stats.willsLeftOut, 0)
      for (const clientId of ['c1', 'c4', 'c5']) a.claims.letGo(clientId)
      assert.equal(a.claims.stats.keptWillBytes, 0)
    })

    it('is not used up by claims that are refused', async () => {
      await rig.token(b, 'x')
      for (let i = 0; i < 3; i++) {
        const answer = await rig.claim(a, 'x', 3600, false, willRecord(i + 1))
        assert.equal(answer.status, 'refused')
      }
      assert.equal(a.claims.stats.keptWillBytes, 0)
    })
  })

  describe('when the store is nearly full', () => {
    it('refuses new persistent sessions, and counts them', async () => {
      a.isNearlyFull = true
      assert.deepEqual(await rig.claim(a, 'x', 1), { status: 'refused', reason: 'quota' })
      assert.equal(a.claims.stats.refused.quota, 1)
      assert.equal(rig.recordOf('x'), undefined)
    })

    it('still takes clean sessions, and persistent ones that have a record', async () => {
      await rig.token(a, 'x')
      a.claims.letGo('x')
      a.isNearlyFull = true
      assert.equal((await rig.claim(a, 'x')).status, 'claimed')
      assert.equal((await rig.claim(a, 'y', 0)).status, 'claimed')
    })
  })

  describe('after the store was emptied or restored', () => {
    it('writes the records of what is owned again, under the tokens it has', async () => {
      const clientIds = Array.from({ length: 700 }, (_, i) => `c${i}`)
      const tokens = new Map<ClientId, FencingToken>()
      for (const clientId of clientIds) tokens.set(clientId, await rig.token(a, clientId))
      for (const clientId of clientIds) await rig.delete(keys.session(clientId))
      await rig.enter(a, 'a', 2 ** 41, 2)
      assert.deepEqual(await rig.settled(a.claims.reclaimAll()), [])
      for (const clientId of clientIds) {
        const record = rig.recordOf(clientId)
        assert.deepEqual([record?.node, record?.incarnation, record?.how], ['a', 2 ** 41, 'reclaimed'])
        assert.deepEqual(record?.token, tokens.get(clientId))
        assert.equal(record?.expiry, 3600)
      }
    })

    it('takes back what an older state of the store gives to another, and names what others own by now', async () => {
      const old = await rig.token(b, 'mine')
      b.claims.letGo('mine')
      await rig.delete(keys.session('mine'))
      const mine = await rig.token(a, 'mine')
      const gone = await rig.token(a, 'gone')
      // As the backup had it.
      const stale = { ...rig.recordOf('mine'), node: 'b', incarnation: 101, tokenRevision: old.revision }
      await rig.put(keys.session('mine'), JSON.stringify(stale))
      await rig.delete(keys.session('gone'))
      b.claims.start(101, 2)
      const taken = await rig.token(b, 'gone')
      assert.ok(compareTokens(taken, gone) > 0)
      a.claims.start(100, 2)
      assert.deepEqual(await rig.settled(a.claims.reclaimAll()), ['gone'])
      assert.deepEqual([rig.recordOf('mine')?.node, rig.recordOf('gone')?.node], ['a', 'b'])
      assert.deepEqual(rig.recordOf('mine')?.token, mine)
    })

    it('keeps wills again as they are now, and none that was dropped since the backup', async () => {
      for (const clientId of ['connected', 'gone', 'dropped']) {
        await rig.claim(a, clientId, 3600, false, willRecord(1))
      }
      const { token } = rig.recordOf('dropped') as StoredOwnership
      const old = rig.service.state.get(keys.will('a', 100, 'dropped'))
      await rig.settled(a.claims.setWill('dropped', token, undefined))
      await rig.advance(1000)
      assert.equal(rig.willOf('a', 100, 'dropped'), undefined)
      const value = (old as { value: Uint8Array }).value
      const put = { type: 'put', key: keys.will('a', 100, 'dropped'), value } as const
      await rig.settled(a.store.transact({ compare: [], success: [put], failure: [] }))
      // One has lost its record and its will, one the will alone.
      for (const key of [keys.session('gone'), keys.will('a', 100, 'gone')]) await rig.delete(key)
      await rig.delete(keys.will('a', 100, 'connected'))
      a.wills.set('connected', { will: willRecord(1), dueAtMs: undefined })
      a.wills.set('gone', { will: willRecord(2), dueAtMs: 12_345 })
      assert.deepEqual(await rig.settled(a.claims.reclaimAll()), [])
      const kept = ['connected', 'gone', 'dropped'].map(clientId => rig.willOf('a', 100, clientId))
      assert.deepEqual(kept, [1, 2, undefined])
      const entry = rig.service.state.get(keys.will('a', 100, 'gone'))
      assert.equal(entry && decodeWill(entry.value)?.dueAtMs, 12_345)
      assert.equal(rig.recordOf('gone')?.node, 'a')
    })

    it('claims again what is on its disk alone, so that its owner may resume it and nobody else begins it anew', async () => {
      const token = await rig.token(a, 'x')
      await rig.delete(keys.session('x'))
      const again = new Claimant(rig, 'a')
      await rig.enter(again, 'a', 2 ** 40 + 1, 2)
      again.unclaimed.push({ clientId: 'x', token })
      assert.deepEqual(await rig.settled(again.claims.reclaimAll()), [])
      assert.equal((await rig.claim(b, 'x')).status, 'refused')
      const answer = await rig.claim(again, 'x')
      assert.ok(answer.status === 'claimed')
      assert.deepEqual(answer.resumableToken, token)
    })

    it('claims again what is leaving, whose move settles who has it, and names it not as lost', async () => {
      const token = await rig.token(a, 'x')
      const taken = await rig.token(a, 'y')
      for (const clientId of ['x', 'y']) {
        a.claims.letGo(clientId)
        await rig.delete(keys.session(clientId))
      }
      b.claims.start(101, 2)
      await rig.token(b, 'y')
      a.leaving.push({ clientId: 'x', token, departure: { to: 'b', nextPosition: 1 } })
      a.leaving.push({ clientId: 'y', token: taken, departure: { to: 'b', nextPosition: 1 } })
      a.claims.start(100, 2)
      assert.deepEqual(await rig.settled(a.claims.reclaimAll()), [])
      assert.deepEqual([rig.recordOf('x')?.node, rig.recordOf('y')?.node], ['a', 'b'])
      assert.deepEqual(rig.recordOf('x')?.token, token)
    })

    it('claims again what has been given away only where the store knows it, else it may have ended where it is', async () => {
      const backup = await rig.token(b, 'y')
      const token = await rig.token(a, 'x')
      a.claims.letGo('x')
      await rig.delete(keys.session('x'))
      const departure = { to: 'b', nextPosition: 1, isGiven: true } as const
      a.leaving.push({ clientId: 'x', token, departure }, { clientId: 'y', token, departure })
      assert.ok(compareTokens(token, backup) > 0)
      a.claims.start(100, 2)
      assert.deepEqual(await rig.settled(a.claims.reclaimAll()), [])
      assert.deepEqual([rig.recordOf('x'), rig.recordOf('y')?.node], [undefined, 'a'])
      assert.deepEqual(rig.recordOf('y')?.token, token)
    })

    it('claims again what is leaving though its client is just back, whose claim is refused', async () => {
      const token = await rig.token(a, 'x')
      a.claims.letGo('x')
      await rig.delete(keys.session('x'))
      await rig.token(b, 'x')
      let answer: (answer: 'unreachable') => void = () => {}
      a.answer = new Promise(resolve => (answer = resolve))
      const wish = { clientId: 'x', cleanStart: false, expiryIntervalSeconds: 3600, will: undefined }
      const claim = a.claims.claim(wish)
      await rig.advance(100)
      assert.equal(a.asks, 1)
      await rig.delete(keys.session('x'))
      a.leaving.push({ clientId: 'x', token, departure: { to: 'b', nextPosition: 1 } })
      a.claims.start(100, 2)
      assert.deepEqual(await rig.settled(a.claims.reclaimAll()), [])
      assert.deepEqual([rig.recordOf('x')?.node, rig.recordOf('x')?.token], ['a', token])
      answer('unreachable')
      assert.deepEqual(await rig.settled(claim), { status: 'refused', reason: 'unavailable' })
    })

    it('takes nothing for nobody’s by a claim that began before: its owner may claim it again yet', async () => {
      await rig.token(a, 'x')
      let answer: (answer: 'unreachable') => void = () => {}
      b.answer = new Promise(resolve => (answer = resolve))
      const wish = { clientId: 'x', cleanStart: false, expiryIntervalSeconds: 3600, will: undefined }
      const claim = b.claims.claim(wish)
      await rig.advance(100)
      assert.equal(b.asks, 1)
      await rig.delete(keys.session('x'))
      b.claims.start(101, 2)
      answer('unreachable')
      assert.deepEqual(await rig.settled(claim), { status: 'refused', reason: 'unavailable' })
      assert.equal(rig.recordOf('x'), undefined)
    })

    it('releases what it has reclaimed, and writes nothing that stands as it should', async () => {
      const token = await rig.token(a, 'x')
      await rig.settled(a.claims.reclaimAll())
      assert.equal(rig.recordOf('x')?.modRevision, token.revision)
      await rig.delete(keys.session('x'))
      await rig.settled(a.claims.reclaimAll())
      assert.ok(rig.recordOf('x') !== undefined)
      a.claims.release('x', token)
      await rig.advance(1000)
      assert.equal(rig.recordOf('x'), undefined)
    })
  })

  it('swaps again what is staged when the outcome is unknown, and asks an owner who may have lost it no more', async () => {
    await rig.token(a, 'x')
    a.claims.letGo('x')
    b.answer = 'consent'
    const { store } = b
    const transact = store.transact.bind(store)
    // From the consent on nothing gets through, until the claim has given up.
    store.transact = transaction =>
      b.asks === 0 ? transact(transaction) : Promise.resolve({ outcome: 'unknown', reason: 'no leader' })
    assert.equal((await rig.claim(b, 'x')).status, 'refused')
    store.transact = transact
    const answer = await rig.claim(b, 'x')
    assert.ok(answer.status === 'claimed' && answer.isTransferred)
    assert.equal(b.asks, 1)
  })

  it('answers every claim of a batch, whatever its client id and however large its will', async () => {
    const odd = ['x'.repeat(256), '漢'.repeat(85), 'a/b/../c', '__proto__', '\u{10ffff}']
    const plain = Array.from({ length: 300 }, (_, i) => `c${i}`)
    const answers = await rig.settled(
      Promise.all(
        [...odd, ...plain].map(clientId =>
          a.claims.claim({
            clientId,
            cleanStart: false,
            expiryIntervalSeconds: 60,
            will: willRecord(1, 100_000),
          }),
        ),
      ),
    )
    assert.ok(answers.every(({ status }) => status === 'claimed'))
  })

  it('lets a session go that is owned under the token named, and not while it is being claimed', async () => {
    const token = await rig.token(a, 'x')
    assert.equal(a.claims.mayLetGo('x', { ...token, revision: token.revision - 1 }), false)
    assert.equal(a.claims.mayLetGo('x', token), true)
    a.claims.letGo('x')
    assert.deepEqual(a.claims.owned(), [])
    const again = rig.claim(a, 'x')
    assert.equal(a.claims.mayLetGo('x', token), false)
    assert.ok((await again).status === 'claimed')
  })
})
