import assert from 'node:assert/strict'
import { decodeDelta, encodeDeltas, ExactChanges } from '../../gossip/delta-codec.ts'
import { limits } from '../../src/core/limits.ts'
import type { Gossip } from '../../src/core/ports/gossip.ts'
import { until } from './harness.ts'
import type { Harness } from './harness.ts'

/** A cluster of at least three members that can reach one another. */
export interface GossipCluster {
  readonly members: readonly Gossip[]
  readonly peerIds: readonly string[]
  /** Takes a member out; absent where members stay for good. */
  readonly close?: (member: Gossip) => void
}

/**
 * What the docs of `Gossip` promise. Any message may be lost, so each is published under new sequences until it has
 * arrived; what is compared is its filter. `canClose`: the cluster has `close`.
 */
export function gossipContract(createHarness: () => Promise<Harness<GossipCluster>>, canClose = true): void {
  let harness: Harness<GossipCluster>
  let received: Uint8Array[][]
  let sequence = 0

  beforeEach(async () => {
    harness = await createHarness()
    received = harness.subject.members.map(member => {
      const messages: Uint8Array[] = []
      member.onMessage(message => messages.push(new Uint8Array(message)))
      return messages
    })
  })

  afterEach(async () => {
    await harness.close()
  })

  function message(filter: string): Uint8Array {
    const patterns = [{ group: '', filter, members: 1 }]
    return encodeDeltas({
      nodeId: 'node-0',
      incarnation: 1,
      firstSequence: ++sequence,
      generation: 1,
      exact: new ExactChanges(),
      patterns,
    })[0] as Uint8Array
  }

  function heard(member: number, filter: string): number {
    return (received[member] ?? []).filter(bytes => Buffer.from(bytes).includes(filter)).length
  }

  async function publishUntilHeard(from: number, filter: string, by: readonly number[]): Promise<void> {
    await until(harness, `members ${by.join()} to hear ${filter}`, () => {
      if (by.every(member => heard(member, filter) > 0)) return true
      return !harness.subject.members[from]?.publish(message(filter))
    })
  }

  it('reaches every other member, from every member', async () => {
    for (const from of harness.subject.members.keys()) {
      const others = [...harness.subject.members.keys()].filter(member => member !== from)
      await publishUntilHeard(from, `from/${from}`, others)
    }
  })

  it('says who published a message, whichever way it came', async () => {
    const senders = new Set<string>()
    const { members, peerIds } = harness.subject
    members[0]?.onMessage((_message, from) => senders.add(from))
    const others = peerIds.slice(1)
    await until(harness, 'a message of each', () => {
      for (const member of members.slice(1)) member.publish(message('named'))
      return others.every(peerId => senders.has(peerId))
    })
    assert.deepEqual([...senders].sort(), [...others].sort())
  })

  it('does not give a member its own messages', async () => {
    await publishUntilHeard(0, 'own', [1, 2])
    assert.equal(heard(0, 'own'), 0)
  })

  it('takes a copy of a message and delivers it whole', async () => {
    const filter = 'x'.repeat(40_000)
    await until(harness, 'the message', () => {
      if (heard(1, filter) > 0) return true
      const bytes = message(filter)
      assert.ok(harness.subject.members[0]?.publish(bytes))
      bytes.fill(0)
      return false
    })
    const arrived = received[1]?.map(decodeDelta).find(delta => delta !== undefined)
    assert.equal(arrived?.patterns[0]?.filter, filter)
  })

  it('takes a message of the largest size and refuses a larger one', () => {
    const [member] = harness.subject.members
    assert.equal(member?.publish(new Uint8Array(limits.gossipMessageBytesMax)), true)
    assert.equal(member?.publish(new Uint8Array(limits.gossipMessageBytesMax + 1)), false)
  })

  if (canClose)
    it('answers false once closed', () => {
      const { members, close } = harness.subject
      const member = members[0] as Gossip
      close?.(member)
      assert.equal(member.publish(message('late')), false)
    })
}
