import assert from 'node:assert/strict'
import { AwaitedOwners } from '../../coordination/awaited-owners.ts'
import { ClusterEpoch } from '../../coordination/cluster-epoch.ts'
import type { CoordinationEntry, CoordinationStore } from '../../src/core/ports/coordination-store.ts'
import type { FencingToken } from '../../src/core/ids.ts'
import { until } from '../contract/harness.ts'
import { plainHolder } from './support/plain-holder.ts'
import { RecordingLogger } from './support/recording-logger.ts'
import { LEASE_TTL_MS, SimCluster, SimDisk, type SimNode } from './support/sim-cluster.ts'

describe('ClusterEpoch', () => {
  let cluster: SimCluster

  beforeEach(() => {
    cluster = new SimCluster()
  })

  const startWithDisks = async (...nodeIds: string[]): Promise<SimNode[]> => {
    const nodes = nodeIds.map(nodeId => cluster.create(nodeId, new SimDisk(`disk of ${nodeId}`)))
    await cluster.settled(Promise.all(nodes.map(node => node.join())))
    await cluster.advance(200)
    return nodes
  }
  const areBack = (nodes: readonly SimNode[]): boolean =>
    nodes.every(node => node.coordinator.mayAcknowledge() && node.coordinator.epoch === 2) &&
    cluster.keys('/members/').length === nodes.length

  it('rises in a store that was of an older epoch, though somebody has given it the very same by then', async () => {
    const { service, clock } = cluster
    const connected = service.connect()
    let reset: (entries: readonly CoordinationEntry[], revision: number) => void = () => {}
    const store: CoordinationStore = {
      ...connected,
      transact: transaction => connected.transact(transaction),
      watch: (_prefix, listener) => {
        reset = (entries, revision) => listener.onReset(entries, revision)
        return { close() {} }
      },
    }
    const memory = { load: () => Promise.resolve(undefined), save() {} }
    const context = { store, clock, logger: new RecordingLogger(), memory, key: 'epoch', revision: () => 0 }
    const epoch = new ClusterEpoch({ ...context, owners: new AwaitedOwners('a') }, { onReplaced() {} })
    await cluster.settled(epoch.settle())
    epoch.start()
    assert.equal(epoch.current, 1)
    const [entry] = service.state.range('epoch') as [CoordinationEntry]
    // What a watch that lags says is not held against the store.
    reset([], entry.modRevision - 1)
    await cluster.settled(epoch.settle())
    assert.equal(epoch.current, 1)
    reset([], entry.modRevision + 100)
    await cluster.settled(epoch.settle())
    assert.equal(epoch.current, 2)
    epoch.close()
  })

  it('begins at 1 and stays over restarts and outages', async () => {
    const disk = new SimDisk('d')
    const first = cluster.create('a', disk)
    await cluster.settled(first.join())
    assert.equal(first.coordinator.epoch, 1)
    await cluster.settled(first.coordinator.leave())
    const second = cluster.create('a', disk)
    await cluster.settled(second.join())
    assert.equal(second.coordinator.epoch, 1)
    assert.equal(disk.mark?.epoch, 1)
  })

  it('rises once when the store is emptied in flight; everybody registers and claims again, with no restart', async () => {
    const nodes = await startWithDisks('a', 'b', 'c')
    const incarnations = nodes.map(node => node.coordinator.incarnation)
    for (const node of nodes) await cluster.settled(node.claim(`of ${node.nodeId}`))
    cluster.replaceStore()
    let waitedMs = 0
    while (!nodes.some(node => node.coordinator.epoch === 2)) {
      await cluster.advance(10)
      assert.ok((waitedMs += 10) < LEASE_TTL_MS)
    }
    // An owner may not have noticed yet: nobody else gets its sessions.
    const first = nodes.find(node => node.coordinator.epoch === 2) as SimNode
    const others = nodes.filter(node => node !== first) as [SimNode, SimNode]
    await until(cluster, 'the first is back', () => first.coordinator.mayAcknowledge())
    const early = await cluster.settled(first.claim(`of ${others[0].nodeId}`))
    assert.deepEqual(early, { status: 'refused', reason: 'unavailable' })
    await until(cluster, 'everybody is back', () => areBack(nodes), LEASE_TTL_MS * 2)
    await cluster.advance(LEASE_TTL_MS)
    assert.deepEqual(
      cluster
        .keys('/sessions/')
        .map(key => key.split('/').at(-1))
        .sort(),
      ['of a', 'of b', 'of c'],
    )
    assert.deepEqual(
      nodes.map(node => node.coordinator.incarnation),
      incarnations,
    )
    for (const node of nodes) {
      assert.deepEqual([...node.holding.keys()], [`of ${node.nodeId}`])
      assert.deepEqual(
        node.coordinator.members.map(({ nodeId }) => nodeId),
        ['a', 'b', 'c'],
      )
      assert.ok(node.coordinator.leader)
    }
    const [a, b] = nodes as [SimNode, SimNode, SimNode]
    assert.equal((await cluster.settled(a.claim('of b'))).status, 'claimed')
    assert.deepEqual(b.surrendered, ['of b'])
    assert.match(a.logger.lines.join('\n'), /restored from a backup, or emptied/)
  })

  it('is that of the claims of a node that has nothing stored, and finds that out while it registers again', async () => {
    const [a] = (await startWithDisks('a', 'b')) as [SimNode, SimNode]
    const looked = Promise.withResolvers<undefined>()
    const transact = a.store.transact.bind(a.store)
    a.store.transact = async transaction => {
      const writesMember = transaction.success.some(op => op.type === 'put' && op.key.includes('/members/'))
      if (writesMember) await looked.promise
      return transact(transaction)
    }
    cluster.replaceStore()
    await until(cluster, 'a knows of it', () => a.coordinator.epoch === 2)
    assert.deepEqual(await cluster.settled(a.coordinator.verifyStored([])), [])
    looked.resolve(undefined)
    await until(cluster, 'a is back', () => a.coordinator.mayAcknowledge())
    await cluster.advance(LEASE_TTL_MS)
    const answer = await cluster.settled(a.claim('x'))
    assert.ok(answer.status === 'claimed')
    assert.equal(answer.token.epoch, 2)
  })

  it('rises when an older backup is restored in flight, and what was claimed since is claimed again', async () => {
    const nodes = await startWithDisks('a', 'b')
    const [a, b] = nodes as [SimNode, SimNode]
    await cluster.settled(a.claim('early'))
    const backup = cluster.backUp()
    await cluster.settled(b.claim('late'))
    await cluster.settled(b.claim('early'))
    await cluster.advance(LEASE_TTL_MS)
    cluster.replaceStore(backup)
    await until(cluster, 'everybody is back', () => areBack(nodes), LEASE_TTL_MS * 2)
    await cluster.advance(LEASE_TTL_MS)
    assert.deepEqual([...a.holding.keys()], [])
    assert.deepEqual([...b.holding.keys()].sort(), ['early', 'late'])
    assert.equal((await cluster.settled(a.claim('late'))).status, 'claimed')
    assert.deepEqual([...b.holding.keys()], ['early'])
  })

  it('takes no session for its own by an older record while the node that has it by now cannot be heard', async () => {
    const nodes = await startWithDisks('a', 'b')
    const [a, b] = nodes as [SimNode, SimNode]
    const lasting = { expiryIntervalSeconds: 3600 }
    await cluster.settled(b.claim('x', lasting))
    const backup = cluster.backUp()
    await cluster.settled(a.claim('x', lasting))
    await cluster.settled(b.claim('later', lasting))
    b.coordinator.serve({
      ...plainHolder(() => {}),
      expiryOf: clientId => (b.holding.has(clientId) ? 3600 : undefined),
    })
    a.store.setContact('cut')
    cluster.replaceStore(backup)
    a.store.setContact('cut')
    await until(
      cluster,
      'b is back',
      () => b.coordinator.epoch === 2 && b.coordinator.mayAcknowledge(),
      2 * LEASE_TTL_MS,
    )
    await cluster.advance(LEASE_TTL_MS * 3)
    assert.deepEqual(await cluster.settled(b.claim('x', lasting)), {
      status: 'refused',
      reason: 'owner-lost',
    })
    a.store.setContact('open')
    await until(cluster, 'everybody is back', () => areBack(nodes), LEASE_TTL_MS * 2)
    await cluster.advance(LEASE_TTL_MS)
    assert.deepEqual([...a.holding.keys()], ['x'])
    assert.equal((await cluster.settled(b.claim('x', lasting))).status, 'claimed')
    assert.deepEqual([...a.holding.keys()], [])
  })

  it('leaves to others what they took from a node that was cut off when the store was emptied', async () => {
    const nodes = await startWithDisks('a', 'b', 'c')
    const [a, b, c] = nodes as [SimNode, SimNode, SimNode]
    await cluster.settled(b.claim('x'))
    b.store.setContact('cut')
    b.setMesh(false)
    await until(cluster, 'b is suspended', () => !b.coordinator.mayAcknowledge(), LEASE_TTL_MS * 2)
    const take = async (): Promise<boolean> => {
      const answer = await c.claim('x')
      return answer.status === 'claimed'
    }
    let isTaken = false
    for (let tries = 0; !isTaken && tries < 60; tries++) {
      isTaken = await cluster.settled(take())
      await cluster.advance(1000)
    }
    assert.ok(isTaken)
    cluster.replaceStore()
    for (const node of [a, c]) node.store.setContact('cut')
    b.store.setContact('open')
    b.setMesh(true)
    await cluster.advance(500)
    for (const node of [a, c]) node.store.setContact('open')
    for (let waitedMs = 0; waitedMs < 3 * LEASE_TTL_MS; waitedMs += 100) {
      await cluster.advance(100)
      const owners = [b, c].filter(node => node.holding.has('x') && node.coordinator.mayAcknowledge())
      assert.ok(owners.length <= 1, `two owners after ${waitedMs} ms`)
    }
    assert.deepEqual([[...b.holding.keys()], [...c.holding.keys()]], [[], ['x']])
    assert.ok(areBack(nodes))
  })

  it('rises when a node starts and the store knows less than it remembers; incarnations keep rising', async () => {
    const disk = new SimDisk('d')
    const first = cluster.create('a', disk)
    await cluster.settled(first.join())
    for (let i = 0; i < 20; i++) await cluster.settled(first.claim(`client ${i}`))
    const { incarnation } = first.coordinator
    await cluster.settled(first.coordinator.leave())
    cluster.replaceStore()
    const second = cluster.create('a', disk)
    await cluster.settled(second.join())
    assert.equal(second.coordinator.epoch, 2)
    assert.ok(second.coordinator.incarnation > incarnation)
    assert.match(
      second.logger.lines.join('\n'),
      /was emptied since this node last saw it; its epoch is raised/,
    )
  })

  describe('when the store is emptied, sessions on disk that no client has come for', () => {
    const disk = new SimDisk('d')
    const other = new SimDisk('other')
    let a: SimNode
    let b: SimNode
    let stored: { readonly clientId: string; readonly token: FencingToken }[]

    const restart = async (): Promise<SimNode> => {
      await cluster.settled(a.coordinator.leave())
      await a.transport.close()
      a = cluster.create('a', disk)
      a.unclaimed.push(...stored)
      return a
    }
    const join = async (): Promise<string[]> => {
      await cluster.settled(a.join())
      return cluster.settled(a.coordinator.verifyStored(stored))
    }

    beforeEach(async () => {
      disk.mark = other.mark = undefined
      a = cluster.create('a', disk)
      b = cluster.create('b', other)
      await cluster.settled(Promise.all([a.join(), b.join()]))
      stored = []
      for (const clientId of ['x', 'y']) {
        const answer = await cluster.settled(a.claim(clientId, { expiryIntervalSeconds: 3600 }))
        assert.ok(answer.status === 'claimed')
        stored.push({ clientId, token: answer.token })
      }
    })

    const assertResumable = async (): Promise<void> => {
      for (const { clientId, token } of stored) {
        const answer = await cluster.settled(a.claim(clientId, { expiryIntervalSeconds: 3600 }))
        assert.ok(answer.status === 'claimed')
        assert.deepEqual(answer.resumableToken, token)
      }
    }

    it('are still their node’s, if it has joined and not looked them up yet', async () => {
      await restart()
      await cluster.settled(a.join())
      cluster.replaceStore()
      assert.deepEqual(await cluster.settled(a.coordinator.verifyStored(stored)), [])
      assert.equal(cluster.keys('/sessions/').length, 2)
      await cluster.advance(LEASE_TTL_MS)
      await assertResumable()
    })

    it('are still their node’s, if it runs', async () => {
      await restart()
      assert.deepEqual(await join(), [])
      cluster.replaceStore()
      await until(cluster, 'a is back', () => a.coordinator.epoch === 2 && a.coordinator.mayAcknowledge())
      assert.equal(cluster.keys('/sessions/').length, 2)
      await cluster.advance(LEASE_TTL_MS)
      await assertResumable()
    })

    it('are still their node’s when it starts later, but for those that others have by then', async () => {
      await restart()
      cluster.replaceStore()
      await until(cluster, 'b is back', () => b.coordinator.epoch === 2 && b.coordinator.mayAcknowledge())
      await cluster.advance(LEASE_TTL_MS)
      assert.equal((await cluster.settled(b.claim('y', { cleanStart: true }))).status, 'claimed')
      assert.deepEqual(await join(), ['y'])
      stored.pop()
      await cluster.advance(LEASE_TTL_MS)
      await assertResumable()
      assert.deepEqual([...b.holding.keys()], ['y'])
    })

    it('are waited for until their node is forgotten: nobody else begins them anew', async () => {
      await restart()
      cluster.replaceStore()
      await until(cluster, 'b is back', () => b.coordinator.epoch === 2 && b.coordinator.mayAcknowledge())
      await cluster.advance(LEASE_TTL_MS * 3)
      assert.deepEqual(await cluster.settled(b.claim('x')), { status: 'refused', reason: 'owner-lost' })
      assert.deepEqual(b.coordinator.absentNodes, ['a'])
      assert.match(b.logger.lines.join('\n'), /does not know what these nodes own/)
      assert.equal(await cluster.settled(b.coordinator.retire('a')), 'retired')
      await cluster.advance(100)
      assert.equal((await cluster.settled(b.claim('x'))).status, 'claimed')
    })

    it('are waited for by a node, too, that begins after the store was replaced', async () => {
      await restart()
      cluster.replaceStore()
      await until(cluster, 'b is back', () => b.coordinator.epoch === 2 && b.coordinator.mayAcknowledge())
      await cluster.settled(b.coordinator.leave())
      await b.transport.close()
      b = cluster.create('b', other)
      await cluster.settled(b.join())
      assert.deepEqual(await cluster.settled(b.claim('x')), { status: 'refused', reason: 'owner-lost' })
      await join()
      await cluster.advance(200)
      assert.equal((await cluster.settled(b.claim('new'))).status, 'claimed')
    })

    it('are given up after one lease TTL where that is the policy', async () => {
      cluster = new SimCluster(1, 'fresh')
      const nodes = await startWithDisks('a', 'b')
      ;[a, b] = nodes as [SimNode, SimNode]
      await cluster.settled(a.claim('x', { expiryIntervalSeconds: 3600 }))
      await a.kill()
      cluster.replaceStore()
      a.store.setContact('cut')
      await until(cluster, 'b is back', () => b.coordinator.epoch === 2 && b.coordinator.mayAcknowledge())
      assert.deepEqual(await cluster.settled(b.claim('x')), { status: 'refused', reason: 'unavailable' })
      await cluster.advance(LEASE_TTL_MS)
      assert.equal((await cluster.settled(b.claim('x'))).status, 'claimed')
    })

    it('are discarded at a later start when their records are gone by then', async () => {
      await restart()
      cluster.replaceStore()
      assert.deepEqual(await join(), [])
      await restart()
      const keys = cluster.keys('/sessions/').filter(key => key.endsWith('/x'))
      const success = keys.map(key => ({ type: 'delete' as const, key }))
      await cluster.settled(cluster.service.connect().transact({ compare: [], success, failure: [] }))
      assert.deepEqual(await join(), ['x'])
    })

    it('are claimed by the next process when this one dies before it could', async () => {
      await restart()
      cluster.replaceStore()
      // It has joined in the new epoch, and dies.
      await cluster.settled(a.join())
      assert.equal(disk.mark?.epoch, 2)
      await restart()
      assert.deepEqual(await join(), [])
      await cluster.advance(LEASE_TTL_MS)
      await assertResumable()
    })
  })

  describe('when the store is emptied, a session that is just leaving for another node', () => {
    let a: SimNode
    let b: SimNode
    let told: string[]

    /** `x` has gone from a to b, which a does not know yet. */
    beforeEach(async () => {
      ;[a, b] = (await startWithDisks('a', 'b')) as [SimNode, SimNode]
      const left = await cluster.settled(a.claim('x', { expiryIntervalSeconds: 3600 }))
      assert.ok(left.status === 'claimed')
      assert.equal((await cluster.settled(b.claim('x', { expiryIntervalSeconds: 3600 }))).status, 'claimed')
      told = []
      const { token } = left
      const leaving = [{ clientId: 'x', token, departure: { to: 'b', nextPosition: 5 } }]
      a.coordinator.serve({
        ...plainHolder(() => told.push('surrender')),
        leaving: () => leaving,
        isLeaving: () => true,
        expiryOf: () => 3600,
        thaw: () => void told.push('thaw'),
        forget: () => void told.push('forget'),
      })
      b.coordinator.serve({
        ...plainHolder(() => {}),
        expiryOf: () => 3600,
        takeTail: (clientId, from) => {
          told.push(`tail of ${clientId} from ${from.nodeId}`)
          return 'later'
        },
      })
      a.coordinator.resumeMoves()
    })

    it('is neither forgotten nor served again before its new owner has had time to say that it is its own', async () => {
      b.store.setContact('cut')
      cluster.replaceStore()
      await cluster.advance(LEASE_TTL_MS / 2)
      assert.deepEqual(told, [])
      b.store.setContact('open')
      await cluster.advance(3 * LEASE_TTL_MS)
      assert.deepEqual([...new Set(told)], ['tail of x from a'])
    })
  })

  it('rises when the store of the same epoch is at an older revision than remembered', async () => {
    const disk = new SimDisk('d')
    const first = cluster.create('a', disk)
    await cluster.settled(first.join())
    const backup = cluster.backUp()
    await cluster.settled(first.claim('x'))
    await cluster.settled(first.coordinator.leave())
    cluster.replaceStore(backup)
    const second = cluster.create('a', disk)
    await cluster.settled(second.join())
    assert.equal(second.coordinator.epoch, 2)
    assert.ok(second.coordinator.incarnation > first.coordinator.incarnation)
  })
})

describe('Presence over restarts and pauses', () => {
  let cluster: SimCluster

  beforeEach(() => {
    cluster = new SimCluster()
  })

  it('joins again at once after kill -9 on the same data directory', async () => {
    const disk = new SimDisk('d')
    const [, other] = [cluster.create('a', disk), cluster.create('b')]
    const first = cluster.create('a', disk)
    await cluster.settled(Promise.all([first.join(), other.join()]))
    await first.kill()
    const second = cluster.create('a', disk)
    const beganMs = cluster.clock.now()
    await cluster.settled(second.join())
    assert.ok(cluster.clock.now() - beganMs < 100)
    assert.ok(second.coordinator.incarnation > first.coordinator.incarnation)
    await cluster.advance(1000)
    assert.deepEqual(cluster.keys('/relies/a/'), [
      `/grapevine/test/relies/a/${second.coordinator.incarnation}`,
    ])
    assert.deepEqual(other.coordinator.members.map(({ nodeId, incarnation }) => [nodeId, incarnation])[0], [
      'a',
      second.coordinator.incarnation,
    ])
  })

  it('does not sign off a living process of the same node id that runs on another data directory', async () => {
    const first = cluster.create('a', new SimDisk('one'))
    await cluster.settled(first.join())
    const second = cluster.create('a', new SimDisk('another'))
    await assert.rejects(cluster.settled(second.join()), { code: 'NODE_ID_TAKEN' })
    assert.equal(first.coordinator.mayAcknowledge(), true)
    assert.deepEqual(
      first.events.filter(event => !event.startsWith('leader')),
      [],
    )
  })

  it('fences a process that was stopped for longer than its lease, before any task of it runs', async () => {
    const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
    await cluster.settled(a.claim('x'))
    await cluster.settled(a.claim('y', { expiryIntervalSeconds: 3600 }))
    a.clock.pause()
    await cluster.advance(LEASE_TTL_MS * 3)
    assert.deepEqual(cluster.keys('/members/a/'), [])
    let isTaken = false
    for (let attempt = 0; attempt < 10 && !isTaken; attempt++) {
      isTaken = (await cluster.settled(b.claim('x'))).status === 'claimed'
    }
    assert.equal(isTaken, true)
    assert.equal(b.coordinator.mayAcknowledge(), true)
    // Nothing has told it yet.
    assert.deepEqual([...a.holding.keys()], ['x', 'y'])
    assert.equal(a.coordinator.mayAcknowledge(), false)
    a.clock.resume()
    await until(cluster, 'a is back', () => a.coordinator.mayAcknowledge(), LEASE_TTL_MS)
    assert.deepEqual([...a.holding.keys()], ['y'])
    assert.deepEqual(
      a.events.filter(event => !event.startsWith('leader')),
      ['suspended', 'resumed without [x]'],
    )
  })

  it('goes on as if nothing had been after a stop shorter than its lease', async () => {
    const [a] = (await cluster.start('a', 'b')) as [SimNode]
    await cluster.settled(a.claim('x'))
    a.clock.pause()
    await cluster.advance(LEASE_TTL_MS / 2)
    assert.equal(a.coordinator.mayAcknowledge(), true)
    a.clock.resume()
    await cluster.advance(LEASE_TTL_MS * 2)
    assert.deepEqual([...a.holding.keys()], ['x'])
    assert.deepEqual(
      a.events.filter(event => !event.startsWith('leader')),
      [],
    )
  })

  it('fences a process of a suspended machine, whose wall clock alone went on', async () => {
    const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
    await cluster.settled(a.claim('x'))
    cluster.clock.jumpWallClock(-LEASE_TTL_MS * 10)
    await cluster.advance(300)
    assert.equal(a.coordinator.mayAcknowledge(), true)
    cluster.clock.jumpWallClock(LEASE_TTL_MS)
    assert.equal(a.coordinator.mayAcknowledge(), false)
    assert.equal(b.coordinator.mayAcknowledge(), false)
  })

  it('takes its key out of relies/ when it leaves, so that nobody need be asked about it', async () => {
    const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
    await cluster.advance(1000)
    assert.equal(cluster.keys('/relies/').length, 2)
    await cluster.settled(a.coordinator.leave())
    assert.deepEqual(cluster.keys('/relies/'), [`/grapevine/test/relies/b/${b.coordinator.incarnation}`])
  })

  it('tells the other members its load, not more often than they need', async () => {
    const [a, b] = (await cluster.start('a', 'b')) as [SimNode, SimNode]
    const loadOfA = (): number | undefined => b.coordinator.members[0]?.load?.connections
    const set = (connections: number): void =>
      a.coordinator.setLoad({ connections, sessions: 0, subscriptions: 0 })
    set(100)
    await cluster.advance(50)
    assert.equal(loadOfA(), 100)
    set(500)
    await cluster.advance(1000)
    assert.equal(loadOfA(), 100)
    await cluster.advance(15_000)
    assert.equal(loadOfA(), 500)
    await cluster.advance(15_000)
    const before = a.store.transactions
    set(505)
    await cluster.advance(30_000)
    assert.equal(loadOfA(), 500)
    assert.equal(a.store.transactions, before)
  })
})
