import assert from 'node:assert/strict'
import { check } from '../../sim/checkers/all-checkers.ts'
import type { NodeEnding, Outcome } from '../../sim/checkers/checker.ts'
import type { ConnectionRecord, PublishRecord } from '../../sim/clients/history.ts'
import { OutcomeBuilder } from './support/outcome-builder.ts'

/** A publisher on node-0 and a durable subscriber of `t/+` on node-1; nothing is amiss. */
function wellBehaved(): {
  run: OutcomeBuilder
  publisher: ConnectionRecord
  subscriber: ConnectionRecord
  first: PublishRecord
} {
  const run = new OutcomeBuilder()
  const publisher = run.connect('pub', 'node-0', 0)
  const subscriber = run.connect('sub', 'node-1', 0)
  run.subscribe(subscriber, 't/+', 10)
  const first = run.publish(publisher, 1, 20)
  run.deliver(subscriber, first, 30)
  return { run, publisher, subscriber, first }
}

function finds(run: OutcomeBuilder, ...checkers: readonly string[]): void {
  const found = new Set(check(run.build()).map(({ checker }) => checker))
  assert.deepEqual([...found].sort(), [...checkers].sort())
}

describe('Checkers of chaos runs', () => {
  it('find nothing where all is well', () => {
    finds(wellBehaved().run)
  })

  describe('acknowledged-means-kept', () => {
    it('finds a message that was acknowledged and never came', () => {
      const { run, publisher } = wellBehaved()
      run.publish(publisher, 2, 40)
      finds(run, 'acknowledged-means-kept')
    })

    it('asks for nothing that was not acknowledged, or was sent before the SUBACK', () => {
      const { run, publisher } = wellBehaved()
      run.publish(publisher, 2, 40, { acknowledgedMs: undefined })
      run.publish(publisher, 3, 5)
      finds(run)
    })

    it('asks of a subscription with barrier local only what was sent to its own node', () => {
      const { run, publisher } = wellBehaved()
      const here = run.connect('local', 'node-0', 0)
      run.subscribe(here, 't/+', 10, { barrier: 'local' })
      const there = run.connect('remote', 'node-2', 0)
      run.subscribe(there, 't/+', 10, { barrier: 'local' })
      finds(run, 'acknowledged-means-kept')
      run.deliver(here, run.history.publishes[0] as PublishRecord, 30)
      finds(run)
      assert.equal(publisher.nodeId, 'node-0')
    })

    it('counts a message that a node dropped though no cap was near', () => {
      const { run } = wellBehaved()
      run.outcome = { ...run.outcome, dropped: { droppedQueueFull: 1 } }
      finds(run, 'comes-to-rest')
    })
  })

  it('no-phantoms finds what nobody published, and what came under another topic', () => {
    const { run, subscriber, first } = wellBehaved()
    run.deliver(subscriber, first, 50, { payload: 'pub-99' })
    finds(run, 'no-phantoms')
    const other = wellBehaved()
    other.run.deliver(other.subscriber, other.run.publish(other.publisher, 2, 40), 50, { topic: 't/2' })
    finds(other.run, 'no-phantoms')
  })

  it('exactly-once finds a QoS 2 message that came twice, but not its retransmission', () => {
    const { run, subscriber, first } = wellBehaved()
    run.deliver(subscriber, first, 40, { isRetransmission: true })
    finds(run)
    subscriber.closedMs = 45
    const again = run.connect('sub', 'node-2', 50)
    run.deliver(again, first, 60)
    finds(run, 'exactly-once')
  })

  it('duplicates finds a QoS 1 message that came twice on one connection, unless its publisher sent it twice', () => {
    const { run, publisher, subscriber } = wellBehaved()
    const once = run.publish(publisher, 2, 40, { qos: 1 })
    run.deliver(subscriber, once, 50)
    const twice = run.publish(publisher, 3, 60, {
      qos: 1,
      sends: [
        { connection: publisher, atMs: 60 },
        { connection: publisher, atMs: 70 },
      ],
    })
    run.deliver(subscriber, twice, 75)
    run.deliver(subscriber, twice, 80)
    finds(run)
    run.deliver(subscriber, once, 90)
    finds(run, 'duplicates')
    run.outcome = { ...run.outcome, starts: [{ nodeId: 'node-1', atMs: 85 }] }
    finds(run)
  })

  it('duplicates allows what was on its way to a node that died with the session, which has moved since', () => {
    const { run, publisher, subscriber } = wellBehaved()
    const once = run.publish(publisher, 2, 40, { qos: 1 })
    run.deliver(subscriber, once, 80)
    run.deliver(subscriber, once, 90)
    const change = { clientId: 'sub', epoch: 1, tokenRevision: 1, modRevision: 1 }
    const starts = [{ nodeId: 'node-2', atMs: 60 }]
    const moves = (awayMs: number): typeof run.outcome => ({
      ...run.outcome,
      starts,
      ownerships: [
        { ...change, nodeId: 'node-2', atMs: 5 },
        { ...change, nodeId: 'node-1', tokenRevision: 2, modRevision: 2, atMs: awayMs },
      ],
    })
    run.outcome = moves(70)
    finds(run)
    run.outcome = moves(35) // before it was sent
    finds(run, 'duplicates')
  })

  it('order finds what came after a later message, on first delivery only', () => {
    const { run, publisher, subscriber, first } = wellBehaved()
    const second = run.publish(publisher, 2, 40)
    const third = run.publish(publisher, 3, 45)
    run.deliver(subscriber, third, 50)
    run.deliver(subscriber, first, 55, { isRetransmission: true })
    assert.deepEqual(
      check(run.build()).map(({ checker }) => checker),
      ['acknowledged-means-kept'],
    )
    run.deliver(subscriber, second, 60)
    finds(run, 'order')
  })

  it('order excuses the session that no longer waits for an old owner, from then on, and no other', () => {
    const { run, publisher, subscriber } = wellBehaved()
    const second = run.publish(publisher, 2, 40)
    const third = run.publish(publisher, 3, 45)
    run.deliver(subscriber, third, 50)
    run.deliver(subscriber, second, 60)
    for (const excused of [new Map([['other', 0]]), new Map([['sub', 61]])]) {
      run.outcome = { ...run.outcome, tailsLate: excused }
      finds(run, 'order')
    }
    run.outcome = { ...run.outcome, tailsLate: new Map([['sub', 55]]) }
    finds(run)
  })

  it('order says nothing of what is sent again under another subscription than at first', () => {
    const { run, publisher, subscriber } = wellBehaved()
    const second = run.publish(publisher, 2, 40)
    run.deliver(subscriber, run.publish(publisher, 3, 45), 50)
    run.deliver(subscriber, second, 60)
    const [subscription] = run.history.subscriptions
    assert.ok(subscription)
    subscription.unsubscribeSentMs = 42
    run.subscribe(subscriber, 't/+', 43)
    finds(run, 'order')
    second.sends.push({ connection: publisher, atMs: 55 })
    finds(run)
    subscription.unsubscribeSentMs = undefined
    finds(run, 'order')
  })

  it('order says nothing of what is sent again, when at first its node had hardly heard of the subscription', () => {
    const { run, publisher, subscriber } = wellBehaved()
    const [subscription] = run.history.subscriptions
    assert.ok(subscription)
    const second = run.publish(publisher, 2, 40)
    run.deliver(subscriber, run.publish(publisher, 3, 45), 50)
    run.deliver(subscriber, second, 60)
    run.history.subscriptions[0] = { ...subscription, barrier: 'local' }
    finds(run, 'order')
    second.sends.push({ connection: publisher, atMs: 55 })
    finds(run)
    run.history.subscriptions[0] = { ...subscription, barrier: 'local', subackMs: -3000 }
    finds(run, 'order')
  })

  it('order says nothing of what is sent again when it had expired', () => {
    for (const expirySeconds of [1, 2]) {
      const { run, publisher, subscriber } = wellBehaved()
      const second = run.publish(publisher, 2, 40, { expirySeconds })
      second.sends.push({ connection: publisher, atMs: 1055 })
      run.deliver(subscriber, run.publish(publisher, 3, 45), 50)
      run.deliver(subscriber, second, 1060)
      const found = check(run.build()).some(({ checker }) => checker === 'order')
      assert.equal(found, expirySeconds > 1)
    }
  })

  for (const sessionPresent of [true, false]) {
    it(`order goes on with a publisher's session to another node${sessionPresent ? '' : ', not with a new one'}`, () => {
      const { run, publisher, subscriber } = wellBehaved()
      const second = run.publish(publisher, 2, 40)
      publisher.closedMs = 41
      const third = run.publish(run.connect('pub', 'node-2', 42, { sessionPresent, cleanStart: true }), 3, 45)
      run.deliver(subscriber, third, 50)
      run.deliver(subscriber, second, 60)
      if (sessionPresent) assert.ok(check(run.build()).some(({ checker }) => checker === 'order'))
      else finds(run)
    })
  }

  describe('one-owner', () => {
    it('finds an acknowledgement written after another node had accepted the client', () => {
      const { run, publisher } = wellBehaved()
      run.connect('pub', 'node-2', 50)
      run.history.acknowledgements.push({ connection: publisher, kind: 'puback', packetId: 1, writtenMs: 50 })
      finds(run, 'last-connect-wins')
      publisher.closedMs = 70
      finds(run)
      run.history.acknowledgements.push({ connection: publisher, kind: 'puback', packetId: 2, writtenMs: 52 })
      finds(run, 'one-owner')
    })

    it('finds a token that did not rise with a change of owner', () => {
      const { run } = wellBehaved()
      const change = { clientId: 'pub', epoch: 1, atMs: 50, modRevision: 9 }
      run.outcome = {
        ...run.outcome,
        ownerships: [
          { ...change, nodeId: 'node-0', tokenRevision: 5 },
          { ...change, nodeId: 'node-1', tokenRevision: 5 },
        ],
      }
      finds(run, 'one-owner')
    })
  })

  it('last-connect-wins finds two connections of one client id that stay open', () => {
    const { run } = wellBehaved()
    run.connect('pub', 'node-2', 50)
    finds(run, 'last-connect-wins')
  })

  describe('session-present', () => {
    it('finds a session that was lost', () => {
      const { run, subscriber } = wellBehaved()
      subscriber.closedMs = 40
      run.connect('sub', 'node-2', 50, { sessionPresent: false })
      finds(run, 'session-present')
    })

    it('lets a session be over that its client has ended, or that had to expire', () => {
      const { run, subscriber } = wellBehaved()
      Object.assign(subscriber, { closedMs: 40, disconnectSentMs: 40, endsSession: true })
      const brief = run.connect('sub', 'node-2', 50, { sessionPresent: false, expirySeconds: 10 })
      brief.closedMs = 60
      run.connect('sub', 'node-2', 9000, { sessionPresent: false })
      finds(run)
      brief.closedMs = 6000
      finds(run, 'session-present')
    })

    it('lets a session be over that a connection of before has ended whose CONNECT was read late', () => {
      const { run, subscriber } = wellBehaved()
      const unanswered = { reasonCode: undefined, connackMs: undefined, connackWrittenMs: undefined }
      const early = run.connect('sub', 'node-2', 31, {
        ...unanswered,
        disconnectSentMs: 32,
        endsSession: true,
      })
      subscriber.closedMs = 33
      run.connect('sub', 'node-1', 35).closedMs = 40
      run.connect('sub', 'node-2', 50, { sessionPresent: false })
      finds(run)
      early.endsSession = false
      finds(run, 'session-present')
    })

    it('finds a session that cannot be', () => {
      const { run } = wellBehaved()
      run.connect('new', 'node-2', 50, { sessionPresent: true })
      finds(run, 'session-present')
    })
  })

  it('unsuback-stops finds what was sent after UNSUBACK, unless a SUBSCRIBE was sent since', () => {
    const { run, publisher, subscriber } = wellBehaved()
    const [subscription] = run.history.subscriptions
    if (subscription === undefined) throw new Error('there is one')
    Object.assign(subscription, { unsubscribeSentMs: 40, unsubackMs: 42 })
    const late = run.publish(publisher, 2, 50)
    run.deliver(subscriber, late, 60)
    finds(run, 'unsuback-stops')
    run.history.attempts.push({ clientId: 'sub', filter: 't/+', atMs: 45, refusedMs: undefined })
    finds(run)
    run.history.attempts.splice(-1, 1, { clientId: 'sub', filter: 't/+', atMs: 45, refusedMs: 48 })
    finds(run, 'unsuback-stops')
  })

  describe('retained-converges', () => {
    it('finds nodes that differ', () => {
      const { run } = wellBehaved()
      run.outcome = { ...run.outcome, retained: [new Map([['r/1', 'x-1']]), new Map()] }
      finds(run, 'retained-converges')
    })

    it('finds a message whose deletion came later', () => {
      const { run, publisher } = wellBehaved()
      run.publish(publisher, 2, 40, { topic: 'r/1', retain: true })
      run.publish(publisher, 3, 60, { topic: 'r/1', retain: true, isEmpty: true })
      const kept = new Map([['r/1', 'pub-2']])
      run.outcome = { ...run.outcome, retained: [kept, kept] }
      finds(run, 'retained-converges')
    })

    it('excuses runs with a clock far ahead', () => {
      const { run } = wellBehaved()
      run.outcome = { ...run.outcome, retained: [new Map([['r/1', 'x-1']]), new Map()], clockAheadMs: 501 }
      finds(run)
    })
  })

  describe('wills', () => {
    function withWill(): {
      run: OutcomeBuilder
      lost: ConnectionRecord
      will: PublishRecord
      watcher: ConnectionRecord
    } {
      const run = new OutcomeBuilder()
      const watcher = run.connect('will-watch', 'node-0', 0)
      run.subscribe(watcher, 'w/+', 10)
      const lost = run.connect('mortal', 'node-1', 20, {
        will: { topic: 'w/mortal', payload: 'will:mortal:2', delaySeconds: 3 },
      })
      const will = { publisher: 'x', sequence: 1, topic: 'w/mortal', qos: 2 } as PublishRecord
      return { run, lost, will, watcher }
    }

    it('finds one that never came', () => {
      const { run, lost } = withWill()
      Object.assign(lost, { abandonedMs: 1000, closedMs: 1000 })
      finds(run, 'wills')
    })

    it('finds one that came while its client was there', () => {
      const { run, watcher, will } = withWill()
      run.deliver(watcher, will, 9000, { payload: 'will:mortal:2' })
      finds(run, 'wills')
    })

    it('finds one that came though the broker had read the DISCONNECT, not one that came before', () => {
      const { run, lost, watcher, will } = withWill()
      Object.assign(lost, { disconnectSentMs: 1000, disconnectReadMs: 1010, closedMs: 1000 })
      run.deliver(watcher, will, 5000, { payload: 'will:mortal:2' })
      finds(run, 'wills')
      lost.disconnectReadMs = 5001
      finds(run)
    })

    it('bears with one that an older backup of the store had', () => {
      const { run, lost, watcher, will } = withWill()
      Object.assign(lost, { disconnectSentMs: 1000, disconnectReadMs: 1010, closedMs: 1010 })
      run.deliver(watcher, will, 5000, { payload: 'will:mortal:2' })
      run.outcome = { ...run.outcome, storeReplacedMs: [900] }
      finds(run, 'wills')
      run.outcome = { ...run.outcome, storeReplacedMs: [3000] }
      finds(run)
    })

    it('bears with one of a broker that a fault kept from telling of the DISCONNECT, not with one after another fault', () => {
      const { run, lost, watcher, will } = withWill()
      Object.assign(lost, { disconnectSentMs: 9000, disconnectReadMs: 9010, closedMs: 9000 })
      run.deliver(watcher, will, 25_000, { payload: 'will:mortal:2' })
      run.outcome = { ...run.outcome, disturbed: [{ fromMs: 8000, toMs: 30_000 }] }
      finds(run)
      run.outcome = { ...run.outcome, disturbed: [{ fromMs: 15_000, toMs: 30_000 }] }
      finds(run, 'wills')
    })

    it('finds one that came though its client was back within the delay, not one that was due before', () => {
      const { run, lost, watcher, will } = withWill()
      Object.assign(lost, { abandonedMs: 1000, closedMs: 1000, lastWrittenMs: 900 })
      const back = run.connect('mortal', 'node-2', 3000)
      run.deliver(watcher, will, 4100, { payload: 'will:mortal:2' })
      finds(run, 'wills')
      Object.assign(back, { connectSentMs: 3950, connackWrittenMs: 3960, connackMs: 3970 })
      finds(run)
    })

    it('bears with one without a delay that came because its client was back', () => {
      const { run, lost, watcher, will } = withWill()
      Object.assign(lost, { closedMs: 1000, lastWrittenMs: 1000, will: { ...lost.will, delaySeconds: 0 } })
      run.connect('mortal', 'node-2', 900)
      run.deliver(watcher, will, 1100, { payload: 'will:mortal:2' })
      finds(run)
    })

    it('finds one that came 25 minutes late, whatever befell the cluster, and bears with what faults explain', () => {
      const { run, lost, watcher, will } = withWill()
      Object.assign(lost, { abandonedMs: 1000, closedMs: 1000 })
      run.outcome = { ...run.outcome, endMs: 3_600_000 }
      run.deliver(watcher, will, 25 * 60_000, { payload: 'will:mortal:2' })
      finds(run, 'wills')
      run.outcome = { ...run.outcome, disturbed: [{ fromMs: 0, toMs: 3_600_000 }] }
      finds(run, 'wills')
      run.history.deliveries.length = 0
      run.deliver(watcher, will, 60_000, { payload: 'will:mortal:2' })
      finds(run)
      run.outcome = { ...run.outcome, disturbed: [] }
      finds(run, 'wills')
    })

    it('gives a broker time to miss a client that left its connection open', () => {
      const { run, lost, watcher, will } = withWill()
      Object.assign(lost, { abandonedMs: 1000, closedMs: 1000, isLeftOpen: true })
      run.deliver(watcher, will, 50_000, { payload: 'will:mortal:2' })
      finds(run)
      lost.isLeftOpen = false
      finds(run, 'wills')
    })

    it('finds one that came before its delay, and exactly-once one that came twice', () => {
      const { run, lost, watcher, will } = withWill()
      Object.assign(lost, { abandonedMs: 1000, closedMs: 1000 })
      run.deliver(watcher, will, 2000, { payload: 'will:mortal:2' })
      finds(run, 'wills')
      run.history.deliveries.length = 0
      run.deliver(watcher, will, 5000, { payload: 'will:mortal:2' })
      finds(run)
      run.deliver(watcher, will, 6000, { payload: 'will:mortal:2' })
      finds(run, 'exactly-once')
    })
  })

  it('shared-groups finds a message that no member got', () => {
    const { run, publisher } = wellBehaved()
    const member = run.connect('member', 'node-2', 0)
    run.subscribe(member, 't/+', 100, { group: 'g', qos: 1 })
    const shared = run.publish(publisher, 2, 200)
    run.deliver(run.history.connections[1] as ConnectionRecord, shared, 210)
    finds(run, 'shared-groups')
    run.deliver(member, shared, 210, { qos: 1 })
    finds(run)
  })

  describe('shared-groups, where no fault befell the cluster,', () => {
    /** Two members, and a message of which the second one got a copy. */
    function twiceInGroup(): { run: OutcomeBuilder; shared: PublishRecord; other: ConnectionRecord } {
      const { run, publisher, subscriber } = wellBehaved()
      const [one, other] = ['one', 'other'].map(clientId => {
        const member = run.connect(clientId, 'node-2', 0)
        run.subscribe(member, 't/+', 100, { group: 'g', qos: 1 })
        return member
      }) as [ConnectionRecord, ConnectionRecord]
      const shared = run.publish(publisher, 2, 2200)
      run.deliver(subscriber, shared, 2210)
      run.deliver(one, shared, 2210, { qos: 1 })
      run.deliver(other, shared, 2220, { qos: 1 })
      return { run, shared, other }
    }

    it('finds a message that two members got', () => {
      finds(twiceInGroup().run, 'shared-groups')
    })

    it('excuses what its publisher sent again, and what was under way when a member was lost', () => {
      const again = twiceInGroup()
      again.shared.sends.push({ connection: again.other, atMs: 2205 })
      finds(again.run)
      const lost = twiceInGroup()
      lost.other.abandonedMs = 2205
      finds(lost.run)
      lost.other.abandonedMs = 2150 // which its broker may have heard later
      finds(lost.run)
      lost.other.abandonedMs = 150
      finds(lost.run, 'shared-groups')
    })

    it('looks for no copies where one did', () => {
      const { run } = twiceInGroup()
      run.outcome = { ...run.outcome, disturbed: [{ fromMs: 90_000, toMs: 91_000 }] }
      finds(run)
    })
  })

  describe('expiry', () => {
    /** Expires 3 s after its broker had it at 40 ms. */
    function expiring(writtenMs: number): OutcomeBuilder {
      const { run, publisher, subscriber } = wellBehaved()
      const publish = run.publish(publisher, 2, 39, {
        expirySeconds: 3,
        sends: [{ connection: publisher, atMs: 39, readMs: 40 }],
      })
      run.deliver(subscriber, publish, writtenMs + 1, { writtenMs })
      return run
    }

    it('finds what was sent after its interval and the tolerance', () => {
      finds(expiring(4040))
      finds(expiring(4041), 'expiry')
    })

    it('excuses what a fault may have held up, and a clock far ahead', () => {
      const held = expiring(4041)
      held.outcome = { ...held.outcome, disturbed: [{ fromMs: 3000, toMs: 3500 }] }
      finds(held)
      held.outcome = { ...held.outcome, disturbed: [{ fromMs: 3041, toMs: 3500 }] }
      finds(held, 'expiry')
      const ahead = expiring(4041)
      ahead.outcome = { ...ahead.outcome, clockAheadMs: 501 }
      finds(ahead)
    })
  })

  it('fences-itself finds an acknowledgement between a pause longer than the lease and its renewal', () => {
    const { run, publisher } = wellBehaved()
    const paused = (toMs: number): void => {
      run.outcome = {
        ...run.outcome,
        pauses: [{ nodeId: 'node-0', fromMs: 1000, toMs }],
        renewals: [
          { nodeId: 'node-1', atMs: toMs },
          { nodeId: 'node-0', atMs: toMs + 100 },
        ],
      }
    }
    const acknowledge = (writtenMs: number): number =>
      run.history.acknowledgements.push({ connection: publisher, kind: 'puback', packetId: 1, writtenMs })
    paused(11_000)
    acknowledge(11_100)
    finds(run)
    acknowledge(11_099)
    finds(run, 'fences-itself')
    paused(10_999)
    finds(run)
  })

  describe('of the nodes in the end', () => {
    function endings(
      first: Partial<NodeEnding>,
      second: Partial<NodeEnding> = {},
      more: Partial<Outcome> = {},
    ): OutcomeBuilder {
      const { run } = wellBehaved()
      const well = { memberKeys: 1, members: ['node-0', 'node-1'], sessions: [], owed: 0 }
      const nodes = [
        { ...well, nodeId: 'node-0', ...first },
        { ...well, nodeId: 'node-1', ...second },
      ]
      run.outcome = { ...run.outcome, nodes, ...more }
      return run
    }

    it('registered finds one without a member key, with two, and one that does not know another', () => {
      finds(endings({ members: ['node-1', 'node-0'] }))
      finds(endings({ memberKeys: 0 }), 'registered')
      finds(endings({ memberKeys: 2 }), 'registered')
      finds(endings({}, { members: ['node-1'] }), 'registered')
    })

    it('back-to-baseline finds what still waits for others, and a session in two places', () => {
      finds(endings({ sessions: ['pub'] }, { sessions: ['sub'] }))
      finds(endings({ owed: 1 }), 'back-to-baseline')
      finds(endings({ sessions: ['sub'] }, { sessions: ['sub'] }), 'back-to-baseline')
      finds(endings({ owed: 1 }, {}, { unsettled: ['node-1 is not ready'] }), 'comes-to-rest')
    })
  })

  it('damage-detected finds a node that served clients from a damaged disk', () => {
    const { run } = wellBehaved()
    run.outcome = { ...run.outcome, servedDamaged: [{ nodeId: 'node-1', atMs: 50 }] }
    finds(run, 'damage-detected')
  })

  it('flow-control finds what clients complain about', () => {
    const { run, subscriber } = wellBehaved()
    run.history.breaches.push({
      connection: subscriber,
      atMs: 50,
      rule: 'receive-maximum',
      detail: '11 in flight',
    })
    finds(run, 'flow-control')
  })

  it('comes-to-rest finds what had not settled, and exceptions of production code', () => {
    const { run } = wellBehaved()
    run.outcome = { ...run.outcome, unsettled: ['node-1 is not ready'] }
    finds(run, 'comes-to-rest')
    run.outcome = { ...run.outcome, unsettled: [], broken: ['node-1 threw'] }
    finds(run, 'comes-to-rest')
  })
})
