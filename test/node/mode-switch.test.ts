import assert from 'node:assert/strict'
import type { SubscriptionMode, SwitchPhase } from '../../src/core/ports/subscription-mode.ts'
import { ModeWorld, type ModeNode } from './support/mode-world.ts'

const PHASES: readonly SwitchPhase[] = ['write-both', 'compare', 'cut-over', 'stop-old']
const NODES = ['node-0', 'node-1', 'node-2']

/** Where the first hash begins in a delta of a node with a name of six bytes; in a record of the log there is more before it. */
const GOSSIP_HASH_AT = 1 + 1 + 8 + 8 + 1 + 6 + 4 + 4 + 1
const LOG_HASH_AT = 2 + 4 + GOSSIP_HASH_AT

/** With one bit turned. */
function spoilt(bytes: Uint8Array, at: number): Uint8Array {
  const altered = bytes.slice()
  altered[at] = (altered[at] as number) ^ 1
  return altered
}

/** A delta whose first hash is another; one without exact changes stays as it is. */
function spoiltHash(bytes: Uint8Array, at: number): Uint8Array {
  const exactCount = bytes[at - 2]
  return exactCount === 0 ? bytes : spoilt(bytes, at)
}

function other(mode: SubscriptionMode): SubscriptionMode {
  return mode === 'gossip' ? 'etcd' : 'gossip'
}

/** Three nodes with churn, and a switch away from `from` begun. */
async function switching(from: SubscriptionMode, seed = 1): Promise<[ModeWorld, readonly ModeNode[]]> {
  const world = new ModeWorld(seed, from)
  const nodes = await world.start(...NODES)
  world.hasChurn = true
  await world.advance(500)
  return [world, nodes]
}

async function assertMode(world: ModeWorld, mode: SubscriptionMode): Promise<void> {
  for (const node of world.live) assert.equal(node.mode.mode, mode)
  await world.assertConverged()
  assert.ok(world.checks > 10_000)
}

describe('switching the subscription mode', () => {
  it('goes etcd → gossip → etcd under churn without one false negative', async () => {
    const [world, [first, second]] = await switching('etcd')
    assert.ok(first !== undefined && second !== undefined)
    const published = (): number => world.nodes.reduce((sum, { gossip }) => sum + gossip.published, 0)
    assert.equal(published(), 0)
    await world.begin(first, 'gossip')
    assert.equal((await world.end()).last?.outcome, 'switched')
    await world.advance(1000)
    assert.ok(published() > 50)
    assert.deepEqual(world.routeKeys(), [])
    await world.begin(second, 'etcd')
    assert.equal((await world.end()).last?.outcome, 'switched')
    const before = published()
    await world.advance(3000)
    assert.equal(published(), before)
    assert.ok(second.exchange.feeds.stats.recordedDeltas > 50)
    await assertMode(world, 'etcd')
    // Gossip never had to be mended, nor was what the store brought.
    for (const { exchange } of world.nodes) assert.equal(exchange.stats.repairs, 0)
  }).timeout(60_000)

  it('takes the mode of the configuration in a new cluster, and the cluster’s afterwards', async () => {
    const world = new ModeWorld(1, 'etcd')
    const [first] = await world.start('node-0')
    assert.ok(first !== undefined)
    assert.equal(first.mode.mode, 'etcd')
    await world.begin(first, 'gossip')
    await world.end()
    const [late] = await world.start('node-1')
    assert.equal(late?.mode.mode, 'gossip')
    assert.deepEqual(await world.settled(first.request('gossip')), {
      isAccepted: true,
      isChange: false,
      epoch: first.mode.epoch,
    })
  })

  for (const from of ['gossip', 'etcd'] as const) {
    const to = other(from)

    for (const phase of PHASES) {
      it(`${from} → ${to}: another leader goes on in ${phase}`, async () => {
        const [world, [first]] = await switching(from)
        assert.ok(first !== undefined)
        first.hold(phase)
        await world.begin(first, to)
        await world.reach(phase)
        const leader = world.leader
        leader?.coordinator.resign()
        await world.until('another leads', () => world.leader !== undefined && world.leader !== leader)
        first.release()
        assert.equal((await world.end()).last?.outcome, 'switched')
        assert.notEqual(world.leader, leader)
        await assertMode(world, to)
      }).timeout(60_000)

      const fate = phase === 'stop-old' ? 'completes it' : 'gives it up'
      for (const who of ['the leader', 'another node'] as const) {
        it(`${from} → ${to}: ${who} dies in ${phase}, and the cluster ${fate}`, async () => {
          const [world, [first]] = await switching(from)
          const isLeader = who === 'the leader'
          const victim = world.live.find(({ coordinator }) => coordinator.isLeading === isLeader)
          assert.ok(first !== undefined && victim !== undefined)
          victim.hold(phase)
          await world.begin(first, to)
          await world.reach(phase)
          await victim.kill()
          const { last } = await world.end()
          assert.equal(last?.outcome, phase === 'stop-old' ? 'switched' : 'aborted')
          assert.equal(
            last?.reason,
            phase === 'stop-old' ? undefined : `${victim.nodeId} left during ${phase}`,
          )
          await world.until('the dead node is no member', () => world.isWhole && world.leader !== undefined)
          await assertMode(world, phase === 'stop-old' ? to : from)
        }).timeout(60_000)
      }

      it(`${from} → ${to}: a node that joins in ${phase} takes part`, async () => {
        const [world, [first]] = await switching(from)
        assert.ok(first !== undefined)
        first.hold(phase)
        await world.begin(first, to)
        await world.reach(phase)
        world.prepare = node => node.hold(phase)
        const [late] = await world.start('node-3')
        assert.equal(late?.mode.current?.phase, phase)
        // The switch waits for the one that came.
        first.release()
        await world.advance(2000)
        assert.equal(first.mode.current?.phase, phase)
        late.release()
        assert.equal((await world.end()).last?.outcome, 'switched')
        late.subscribe('late/comer')
        await world.advance(500)
        for (const node of world.nodes.slice(0, 3))
          assert.ok(node.index.match('late/comer').includes('node-3'))
        await assertMode(world, to)
      }).timeout(60_000)
    }

    it(`${from} → ${to}: goes on after the store was away for a while, in any phase`, async () => {
      const [world, nodes] = await switching(from)
      const [first] = nodes
      assert.ok(first !== undefined)
      for (const phase of PHASES) first.hold(phase)
      await world.begin(first, to)
      for (const phase of PHASES) {
        first.hold(phase)
        await world.reach(phase)
        for (const { store } of nodes) store.setContact('deaf')
        await world.advance(3000)
        for (const { store } of nodes) store.setContact('open')
        first.release()
      }
      assert.equal((await world.end()).last?.outcome, 'switched')
      await assertMode(world, to)
    }).timeout(60_000)

    it(`${from} → ${to}: survives the loss of every lease`, async () => {
      const [world, nodes] = await switching(from)
      const [first] = nodes
      assert.ok(first !== undefined)
      first.hold('compare')
      await world.begin(first, to)
      await world.reach('compare')
      for (const { store } of nodes) store.setContact('cut')
      await world.advance(20_000)
      for (const { store } of nodes) store.setContact('open')
      first.release()
      const { mode } = await world.end()
      await world.until('all are members again', () => world.isWhole && world.leader !== undefined)
      await assertMode(world, mode)
      if (mode === 'etcd') await world.until('all is written again', () => world.routeKeys().length >= 9)
    }).timeout(60_000)
  }

  it('gossip → etcd: a delta that was written wrongly aborts it, and nothing is lost', async () => {
    const [world, [first, second]] = await switching('gossip')
    assert.ok(first !== undefined && second !== undefined)
    second.store.alter = (key, value) => (key.includes('/d/') ? spoiltHash(value, LOG_HASH_AT) : value)
    await world.begin(first, 'etcd')
    const { last, mode } = await world.end()
    assert.equal(mode, 'gossip')
    assert.match(
      last?.reason ?? '',
      /^node-[02]: mismatch: of node-1, the feeds differ after its change \d+$/,
    )
    await assertMode(world, 'gossip')
    assert.deepEqual(world.routeKeys(), [])
    for (const { exchange } of world.nodes) assert.equal(exchange.stats.repairs, 0)
  }).timeout(60_000)

  it('gossip → etcd: a snapshot that was written wrongly aborts it', async () => {
    const [world, [first, second]] = await switching('gossip')
    assert.ok(first !== undefined && second !== undefined)
    world.hasChurn = false
    await world.advance(500)
    // The last position of the first segment, which is written as a list of positions.
    second.store.alter = (key, value) => (key.includes('/s/') ? spoilt(value, value.length - 1) : value)
    await world.begin(first, 'etcd')
    const { last } = await world.end()
    assert.match(last?.reason ?? '', /mismatch: of node-1/)
    await world.assertConverged()
  }).timeout(60_000)

  it('etcd → gossip: a delta that comes differently by gossip aborts it, and nothing is lost', async () => {
    const [world, [first, second, third]] = await switching('etcd')
    assert.ok(first !== undefined && second !== undefined && third !== undefined)
    third.gossip.alter = message => spoiltHash(message, GOSSIP_HASH_AT)
    await world.begin(first, 'gossip')
    const { last, mode } = await world.end()
    assert.equal(mode, 'etcd')
    assert.match(last?.reason ?? '', /^node-2: mismatch: of node-[01], /)
    await assertMode(world, 'etcd')
    for (const { exchange } of world.nodes) assert.equal(exchange.stats.repairs, 0)
  }).timeout(60_000)

  it('etcd → gossip: messages that gossip loses do not abort it', async () => {
    const [world, [first, , third]] = await switching('etcd')
    assert.ok(first !== undefined && third !== undefined)
    let messages = 0
    third.gossip.alter = message => (++messages % 10 === 0 ? undefined : message)
    await world.begin(first, 'gossip')
    assert.equal((await world.end()).last?.outcome, 'switched')
  }).timeout(60_000)

  it('refuses a switch to etcd that would not fit into the quota, and aborts one when room runs out', async () => {
    const [world, [first]] = await switching('gossip')
    assert.ok(first !== undefined)
    world.service.quotaBytes = 400_000
    const refused = await world.settled(first.request('etcd'))
    assert.equal(!refused.isAccepted && refused.refusal, 'quota')
    world.service.quotaBytes = 100_000_000
    first.hold('compare')
    await world.begin(first, 'etcd')
    await world.reach('compare')
    for (const node of world.nodes) node.isStoreFull = true
    assert.match((await world.end()).last?.reason ?? '', /quota/)
    await assertMode(world, 'gossip')
  }).timeout(60_000)

  it('refuses another switch while one is under way, and takes the same one for it', async () => {
    const [world, [first, second]] = await switching('gossip')
    assert.ok(first !== undefined && second !== undefined)
    await world.begin(first, 'etcd')
    const back = await world.settled(second.request('gossip'))
    assert.equal(!back.isAccepted && back.refusal, 'busy')
    assert.equal((await world.settled(second.request('etcd'))).isAccepted, true)
    assert.equal((await world.end()).last?.outcome, 'switched')
  }).timeout(60_000)

  it('gives up a switch that a node does not take part in, after a minute', async () => {
    const [world, [first, second]] = await switching('gossip')
    assert.ok(first !== undefined && second !== undefined)
    world.hasChurn = false
    second.hold('write-both')
    await world.begin(first, 'etcd')
    const beganMs = world.clock.now()
    assert.equal((await world.end()).last?.reason, 'node-1 did not finish write-both within 60 s')
    assert.ok(world.clock.now() - beganMs >= 60_000)
  }).timeout(60_000)

  it('etcd: what is subscribed while the store is away is found by way of the links', async () => {
    const [world, [first, second]] = await switching('etcd')
    assert.ok(first !== undefined && second !== undefined)
    for (const { store } of world.nodes) store.setContact('cut')
    await world.advance(1000)
    first.subscribe('meanwhile/1')
    await world.until('the barrier is reached', () => first.promised.has('meanwhile/1'), 5000)
    assert.ok(second.index.match('meanwhile/1').includes('node-0'))
    await world.advance(2000)
    for (const { store } of world.nodes) store.setContact('open')
    await world.advance(10_000)
    await assertMode(world, 'etcd')
  }).timeout(60_000)

  it('etcd: goes on in a store that was emptied', async () => {
    const [world] = await switching('etcd')
    for (const { key } of world.service.state.range('/grapevine/test/')) {
      if (!/\/(routes|settings\/mode)/.test(key)) continue
      await world.settled(
        world.service.connect().transact({ compare: [], success: [{ type: 'delete', key }], failure: [] }),
      )
    }
    await world.advance(12_000)
    assert.ok(world.routeKeys().filter(key => key.includes('/base/')).length === 3)
    await assertMode(world, 'etcd')
  }).timeout(60_000)

  it('shows at every node who has done what the phase asks', async () => {
    const [world, [first, second]] = await switching('gossip')
    assert.ok(first !== undefined && second !== undefined)
    second.hold('write-both')
    await world.begin(first, 'etcd')
    await world.advance(1000)
    for (const { mode } of world.nodes) {
      assert.equal(mode.mode, 'gossip')
      const { from, to, phase, requestedBy, done, members } = mode.current ?? assert.fail('no switch')
      assert.deepEqual([from, to, phase, requestedBy], ['gossip', 'etcd', 'write-both', 'node-0'])
      assert.deepEqual([done, members], [['node-0', 'node-2'], NODES])
    }
  }).timeout(60_000)
})
