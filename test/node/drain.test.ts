import assert from 'node:assert/strict'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import type { ClientId, NodeId } from '../../src/core/ids.ts'
import { limits } from '../../src/core/limits.ts'
import { Drain } from '../../src/node/drain.ts'
import { silentLogger } from '../support/silent-logger.ts'

interface TestSession {
  readonly clientId: ClientId
  isConnected: boolean
  /** Ends with its connection. */
  readonly isClean: boolean
}

/** A node with sessions in a Map, and other members that take what they are offered unless told otherwise. */
class DrainHarness {
  readonly clock = new VirtualClock()
  readonly sessions = new Map<ClientId, TestSession>()
  readonly offers: { clientId: ClientId; nodeId: NodeId; atMs: number }[] = []
  readonly dismissedAtMs: number[] = []
  readonly states: string[] = []
  targets: NodeId[] = ['node-1', 'node-2']
  isServing = true
  refusesConnects = false
  leads = true
  messagesForMembers = 0
  isExpecting = false
  /** Answers of the others. */
  isUnneeded = true
  askedOthers = 0
  /** How a member answers an offer. */
  answer: (clientId: ClientId, nodeId: NodeId) => boolean | Promise<boolean> = () => true
  offersUnderWay = 0
  offersUnderWayMax = 0
  readonly drain: Drain

  constructor() {
    const { sessions } = this
    // eslint-disable-next-line @typescript-eslint/no-this-alias
    const harness = this
    this.drain = new Drain({
      clock: this.clock,
      logger: silentLogger,
      clients: {
        get connectionCount() {
          return [...sessions.values()].filter(({ isConnected }) => isConnected).length
        },
        get sessionCount() {
          return sessions.size
        },
        get isExpecting() {
          return harness.isExpecting
        },
        held: () => sessions.values(),
        holds: clientId => sessions.has(clientId),
        setDraining: isDraining => (this.refusesConnects = isDraining),
        dismiss: count => this.#dismiss(count),
      },
      whenUnneeded: heard => {
        this.askedOthers++
        this.clock.defer(() => heard(this.isUnneeded))
      },
      backlog: () => ({ messagesForMembers: this.messagesForMembers, messagesForGone: 7 }),
      member: {
        isServing: () => this.isServing,
        targets: () => this.targets,
        setState: state => this.states.push(state),
        resign: () => (this.leads = false),
        stand: () => (this.leads = true),
      },
      ownership: {
        async offer(clientId, nodeId) {
          harness.offers.push({ clientId, nodeId, atMs: harness.clock.now() })
          harness.offersUnderWay++
          harness.offersUnderWayMax = Math.max(harness.offersUnderWayMax, harness.offersUnderWay)
          const isTaken = await harness.answer(clientId, nodeId)
          harness.offersUnderWay--
          if (isTaken) sessions.delete(clientId)
          return isTaken
        },
      },
    })
  }

  add(count: number, kind: Partial<TestSession> = {}, prefix = 'client'): void {
    for (let i = 0; i < count; i++) {
      const clientId = `${prefix}-${i}`
      this.sessions.set(clientId, { clientId, isConnected: false, isClean: false, ...kind })
    }
  }

  start(options: { ratePerSecond?: number; isForced?: boolean } = {}) {
    return this.drain.start({ ratePerSecond: 100, isForced: false, ...options })
  }

  get state(): string {
    return this.drain.status().state
  }

  #dismiss(count: number): readonly ClientId[] {
    const connected = [...this.sessions.values()].filter(({ isConnected }) => isConnected).slice(0, count)
    for (const session of connected) {
      session.isConnected = false
      this.dismissedAtMs.push(this.clock.now())
      if (session.isClean) this.sessions.delete(session.clientId)
    }
    return connected.map(({ clientId }) => clientId)
  }
}

describe('Drain', () => {
  it('takes no new clients, says so to the others and hands leadership over, at once', () => {
    const node = new DrainHarness()
    node.add(1)
    assert.equal(node.start().isStarted, true)
    assert.equal(node.refusesConnects, true)
    assert.deepEqual(node.states, ['draining'])
    assert.equal(node.leads, false)
    assert.equal(node.state, 'draining')
  })

  it('is drained, when there is nothing to hand over, as soon as nothing is on its way here', async () => {
    const node = new DrainHarness()
    node.isUnneeded = false
    node.start()
    await node.clock.advance(1000)
    assert.equal(node.state, 'draining')
    assert.match(node.drain.status().waitingFor ?? '', /nothing is on its way here/)
    node.isUnneeded = true
    await node.clock.advance(200)
    assert.equal(node.state, 'drained')
    const { askedOthers } = node
    await node.clock.advance(1000)
    assert.equal(node.askedOthers, askedOthers, 'once it is drained, nobody is asked again')
  })

  it('asks connected clients to go at the chosen pace, never faster', async () => {
    const node = new DrainHarness()
    node.add(100, { isConnected: true, isClean: true })
    node.start({ ratePerSecond: 20 })
    await node.clock.advance(1000)
    assert.equal(node.dismissedAtMs.length, 20)
    await node.clock.advance(4000)
    assert.equal(node.dismissedAtMs.length, 100)
    for (const atMs of node.dismissedAtMs) {
      const within = node.dismissedAtMs.filter(other => other >= atMs && other < atMs + 1000)
      assert.ok(within.length <= 20, `${within.length} within a second`)
    }
    assert.equal(node.state, 'drained')
    assert.equal(node.drain.status().clientsAsked, 100)
    assert.deepEqual(node.offers, [])
  })

  it('keeps to a pace below one client a tick', async () => {
    const node = new DrainHarness()
    node.add(10, { isConnected: true, isClean: true })
    node.start({ ratePerSecond: 3 })
    await node.clock.advance(2000)
    assert.equal(node.dismissedAtMs.length, 6)
  })

  it('hands the sessions of absent clients to the other members, as many to each', async () => {
    const node = new DrainHarness()
    node.add(300)
    node.start()
    await node.clock.advance(1000)
    assert.equal(node.state, 'drained')
    assert.equal(node.drain.status().sessionsMoved, 300)
    assert.equal(node.offers.filter(({ nodeId }) => nodeId === 'node-1').length, 150)
    assert.equal(new Set(node.offers.map(({ clientId }) => clientId)).size, 300)
  })

  it('gives a client that was sent away time to come to another node before its session is offered', async () => {
    const node = new DrainHarness()
    node.add(2, { isConnected: true })
    node.start()
    await node.clock.advance(1000)
    assert.equal(node.drain.status().clientsAsked, 2)
    assert.deepEqual(node.offers, [])
    node.sessions.delete('client-0') // connected elsewhere, its session with it
    await node.clock.advance(5000)
    assert.deepEqual(
      node.offers.map(({ clientId }) => clientId),
      ['client-1'],
    )
    assert.equal(node.state, 'drained')
  })

  it('never has more offers under way than its bound', async () => {
    const node = new DrainHarness()
    node.add(1000)
    node.answer = () => new Promise(resolve => node.clock.schedule(50, () => resolve(true)))
    node.start()
    await node.clock.advance(10_000)
    assert.equal(node.state, 'drained')
    assert.equal(node.offersUnderWayMax, limits.drainOffersUnderWayMax)
  })

  it('offers a session that was not taken again, to another, ever more rarely, and reports it', async () => {
    const node = new DrainHarness()
    node.add(1)
    node.answer = () => false
    node.start()
    await node.clock.advance(20_000)
    const times = node.offers.map(({ atMs }) => atMs)
    const gaps = times.slice(1).map((atMs, index) => atMs - (times[index] ?? 0))
    assert.ok(gaps.length >= 3)
    gaps.forEach((gap, index) => assert.ok(index === 0 || gap > (gaps[index - 1] ?? 0), gaps.join()))
    assert.deepEqual(new Set(node.offers.map(({ nodeId }) => nodeId)), new Set(['node-1', 'node-2']))
    const status = node.drain.status()
    assert.equal(status.state, 'draining')
    assert.equal(status.offersRefused, node.offers.length)
    assert.match(status.waitingFor ?? '', /take 1 sessions/)
    node.answer = () => true
    await node.clock.advance(30_000)
    assert.equal(node.state, 'drained')
    assert.equal(node.drain.status().waitingFor, undefined)
  })

  it('is not drained while an offer is under way', async () => {
    const node = new DrainHarness()
    node.add(1)
    let take: (isTaken: boolean) => void = () => {}
    node.answer = () => {
      node.sessions.clear() // gone here, but not yet confirmed by the other
      return new Promise(resolve => (take = resolve))
    }
    node.start()
    await node.clock.advance(1000)
    assert.equal(node.state, 'draining')
    take(true)
    await node.clock.advance(100)
    assert.equal(node.state, 'drained')
  })

  it('is not drained while a CONNECT under way may still bring a session', async () => {
    const node = new DrainHarness()
    node.isExpecting = true
    node.start()
    assert.equal(node.state, 'draining')
    assert.match(node.drain.status().waitingFor ?? '', /may still arrive/)
    node.isExpecting = false
    await node.clock.advance(200)
    assert.equal(node.state, 'drained')
  })

  it('is not drained before the members have every message taken here; what is kept for the gone is reported', async () => {
    const node = new DrainHarness()
    node.messagesForMembers = 3
    node.start()
    await node.clock.advance(1000)
    assert.equal(node.state, 'draining')
    assert.match(node.drain.status().waitingFor ?? '', /accept 3 messages/)
    node.messagesForMembers = 0
    await node.clock.advance(100)
    assert.equal(node.state, 'drained')
    assert.equal(node.drain.status().messagesForGone, 7)
  })

  it('refuses while no other member is ready, and while the node does not serve', () => {
    const node = new DrainHarness()
    node.targets = []
    assert.deepEqual(node.start(), { isStarted: false, refusal: 'alone' })
    assert.equal(node.refusesConnects, false)
    assert.deepEqual(node.states, [])
    node.isServing = false
    assert.deepEqual(node.start(), { isStarted: false, refusal: 'not-serving' })
  })

  it('forced without another member, sends the clients away and keeps the sessions', async () => {
    const node = new DrainHarness()
    node.targets = []
    node.add(5, { isConnected: true })
    node.start({ isForced: true })
    await node.clock.advance(10_000)
    assert.equal(node.dismissedAtMs.length, 5)
    assert.equal(node.sessions.size, 5)
    assert.equal(node.state, 'draining')
    assert.match(node.drain.status().waitingFor ?? '', /nowhere to go/)
  })

  it('sends nobody away while the last other member is gone, and goes on when one is back', async () => {
    const node = new DrainHarness()
    node.add(100, { isConnected: true })
    node.start({ ratePerSecond: 10 })
    await node.clock.advance(1000)
    node.targets = []
    await node.clock.advance(2000)
    assert.equal(node.dismissedAtMs.length, 10)
    node.targets = ['node-2']
    await node.clock.advance(20_000)
    assert.equal(node.state, 'drained')
  })

  it('ends for those who wait for it: when drained, when cancelled, when left alone', async () => {
    const ends: string[] = []
    const drained = new DrainHarness()
    drained.add(1)
    drained.start()
    drained.drain.whenEnded(() => ends.push('drained'))
    await drained.clock.advance(500)
    assert.deepEqual(ends, ['drained'])

    const alone = new DrainHarness()
    alone.add(1)
    alone.start()
    alone.targets = []
    alone.drain.whenEnded(() => ends.push('alone'))
    await alone.clock.advance(2000)
    assert.deepEqual(ends, ['drained'])
    await alone.clock.advance(3000)
    assert.deepEqual(ends, ['drained', 'alone'])

    const cancelled = new DrainHarness()
    cancelled.add(1)
    cancelled.answer = () => false
    cancelled.start()
    cancelled.drain.whenEnded(() => ends.push('cancelled'))
    cancelled.drain.cancel()
    await cancelled.clock.advance(1)
    assert.deepEqual(ends, ['drained', 'alone', 'cancelled'])
  })

  it('cancelled, takes clients again and sends nobody away any more', async () => {
    const node = new DrainHarness()
    node.add(50, { isConnected: true })
    node.start({ ratePerSecond: 10 })
    await node.clock.advance(1000)
    assert.equal(node.drain.cancel().state, 'idle')
    assert.equal(node.refusesConnects, false)
    assert.equal(node.leads, true)
    assert.deepEqual(node.states, ['draining', 'ready'])
    await node.clock.advance(20_000)
    assert.equal(node.dismissedAtMs.length, 10)
    assert.deepEqual(node.offers, [])
    assert.equal(node.drain.cancel().state, 'idle')
  })

  it('started again, changes its pace and begins nothing anew', async () => {
    const node = new DrainHarness()
    node.add(100, { isConnected: true, isClean: true })
    node.start({ ratePerSecond: 10 })
    await node.clock.advance(1000)
    node.start({ ratePerSecond: 50 })
    await node.clock.advance(1000)
    assert.equal(node.dismissedAtMs.length, 60)
    assert.deepEqual(node.states, ['draining'])
    assert.equal(node.drain.status().clientsAsked, 60)
  })

  it('is not drained any more when a session appears late', async () => {
    const node = new DrainHarness()
    node.start()
    node.add(1)
    await node.clock.advance(100)
    assert.equal(node.state, 'drained') // taken in the same tick
    node.answer = () => false
    node.add(1, {}, 'late')
    await node.clock.advance(100)
    assert.equal(node.state, 'draining')
  })
})
