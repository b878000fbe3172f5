import assert from 'node:assert/strict'
import {
  encodeAbout,
  encodeApplied,
  encodeDigest,
  encodePatterns,
  encodePull,
  encodeRepairBegin,
  encodeRepairEnd,
  encodeSegments,
  encodeStreamedDelta,
} from '../../gossip/interest-frame-codec.ts'
import { limits } from '../../src/core/limits.ts'
import { until } from '../contract/harness.ts'
import { exactDelta as delta, InterestWorld } from './interest-harness.ts'
import type { InterestNode } from './interest-harness.ts'

describe('InterestExchange among members that lie or flood', () => {
  let world: InterestWorld

  beforeEach(() => {
    world = new InterestWorld()
  })

  async function pair(filters: readonly string[] = []): Promise<[a: InterestNode, b: InterestNode]> {
    const [a, b] = [world.join('node-a', 3, filters), world.join('node-b', 4)]
    await world.advance(100)
    return [a, b]
  }

  it('ignores gossip of who is not a member', async () => {
    const [a] = await pair()
    a.gossip.forge(delta('node-x', 1, 1, ['stranger']), 'peer-x')
    a.gossip.forge(delta('node-b', 4, 1, ['stranger']), 'peer-x')
    assert.equal(a.exchange.stats.ignored, 2)
    assert.deepEqual(a.seen('node-b'), [])
  })

  for (const name of ['node-b', 'node-a', 'node-x']) {
    it(`closes the link of a member that gossips in the name of ${name}, and believes nothing of it`, async () => {
      const [a, b] = await pair(['mine'])
      const liar = world.join('node-c', 5)
      await world.advance(100)
      world.mention('forged')
      a.gossip.forge(delta(name, name === 'node-b' ? 4 : 3, 1, ['forged']), liar.address.peerId)
      assert.deepEqual(a.seen('node-b'), [])
      assert.equal(a.exchange.stats.rejected, 1)
      await world.advance(1)
      assert.deepEqual([a.transport.isUp('node-c'), a.transport.isUp('node-b')], [false, true])
      b.subscribe('real')
      await world.advance(50)
      assert.deepEqual([a.seen('node-b'), a.exchange.stats.repairs], [['real'], 0])
    })
  }

  it('charges a flood to who sends it, in whosever name: the others go on', async () => {
    const [a, b] = await pair()
    const flooder = world.join('node-c', 5)
    await world.advance(100)
    for (let i = 0; i < limits.gossipDeltasBurstMax * 2; i++)
      a.gossip.forge(
        delta(i % 2 === 0 ? 'node-b' : 'node-c', 4, 1000 + i, [`x/${i}`]),
        flooder.address.peerId,
      )
    assert.ok(a.exchange.stats.flooded > limits.gossipDeltasBurstMax / 2)
    await world.advance(1)
    assert.deepEqual([a.transport.isUp('node-c'), a.transport.isUp('node-b')], [false, true])
    b.subscribe('real')
    await world.advance(50)
    assert.deepEqual([a.seen('node-b'), a.exchange.stats.repairs], [['real'], 0])
  })

  it('believes nobody about a member that is there', async () => {
    const [a, b] = await pair(['mine'])
    const c = world.join('node-c', 5)
    await world.advance(2000)
    const lie = { ...empty, sequence: 1000 }
    const frames = [
      encodeDigest(lie),
      encodeRepairBegin({ ...lie, segments: 1, hasPatterns: true }),
      encodeRepairEnd(),
    ]
    for (const frame of frames)
      assert.ok(c.transport.send('node-b', 'interest', encodeAbout('node-a', frame)))
    await world.advance(100)
    assert.deepEqual(b.seen('node-a'), ['mine'])
    assert.equal(b.exchange.gone.stats.taken, 0)
    assert.ok(a.transport.isUp('node-b'))
  })

  it('closes the link of a member that gossips what is malformed', async () => {
    const [a, b] = await pair()
    const good = delta('node-b', 4, 1, ['some/filter'])
    for (let length = 0; length < good.length; length++)
      a.gossip.forge(good.subarray(0, length), b.address.peerId)
    a.gossip.forge(new Uint8Array(limits.gossipMessageBytesMax + 1), b.address.peerId)
    assert.equal(a.exchange.stats.rejected, good.length + 1)
    await world.advance(1)
    assert.equal(a.transport.isUp('node-b'), false)
    assert.equal(a.seen('node-b')?.length ?? 0, 0)
  })

  const empty = {
    incarnation: 3,
    sequence: 0,
    generation: 1,
    bits: 15,
    exactCount: 0,
    exactChecksum: 0,
    patternCount: 0,
    patternChecksum: 0,
  }
  const segment = { index: 0, words: new Uint32Array(1024).fill(1) }
  const repair = encodeRepairBegin({ ...empty, segments: 1, hasPatterns: true })
  const lies: [name: string, frames: Uint8Array[]][] = [
    ['garbage', [Uint8Array.of(2, 99)]],
    ['nothing at all', [new Uint8Array(0)]],
    ['the format of another version', [Uint8Array.of(1, 2)]],
    ['a repair nobody asked for', [repair]],
    ['a part of no repair', [encodeSegments([segment], 0).frame]],
    ['patterns of no repair', [encodePatterns([{ group: '', filter: '#', members: 1 }], 0).frame]],
    ['the end of no repair', [encodeRepairEnd()]],
    ['a digest of another incarnation', [encodeDigest({ ...empty, incarnation: 2 })]],
    ['a digest of a filter larger than any may be', [encodeDigest({ ...empty, bits: 27 })]],
    ['an acknowledgement to another incarnation', [encodeApplied(5, 0)]],
    ['a frame about a node in one about another', [encodeAbout('x', encodeAbout('y', encodeDigest(empty)))]],
    [
      'a delta in a frame about a node that is gone',
      [encodeAbout('x', encodeStreamedDelta(delta('x', 3, 1, ['a'])))],
    ],
    ["another's delta", [encodeStreamedDelta(delta('node-x', 3, 1, ['a']))]],
  ]
  for (const [name, frames] of lies) {
    it(`closes the link that brings ${name}`, async () => {
      const [a, b] = await pair()
      for (const frame of frames) assert.ok(a.transport.send('node-b', 'interest', frame))
      await world.advance(1)
      assert.equal(b.transport.isUp('node-a'), false)
      assert.equal(b.exchange.stats.rejected, 1)
      await until(world, 'recovery', () => b.seen('node-a') !== undefined && a.exchange.unheard.length === 0)
    })
  }

  it('closes the link of a repair that differs from its checksum, and learns nothing from it', async () => {
    const [a, b] = await pair(['real'])
    world.mention('lie')
    b.gossip.forge(delta('node-a', 3, 1, ['forged']), a.address.peerId) // makes b pull at the next digest
    assert.ok(a.transport.send('node-b', 'interest', encodeDigest({ ...empty, sequence: 1 })))
    await world.advance(1) // b pulls
    assert.deepEqual(b.exchange.missing, ['node-a'])
    const lie = encodeRepairBegin({ ...empty, sequence: 1, segments: 1, hasPatterns: true })
    assert.ok(a.transport.send('node-b', 'interest', lie))
    assert.ok(a.transport.send('node-b', 'interest', encodeSegments([segment], 0).frame))
    assert.ok(a.transport.send('node-b', 'interest', encodeRepairEnd()))
    await world.advance(1)
    assert.equal(b.transport.isUp('node-a'), false)
    assert.equal(b.seen('node-a'), undefined)
    await world.advance(200)
    assert.deepEqual(b.seen('node-a'), ['real'])
  })

  it('does not believe an acknowledgement of what was never announced', async () => {
    const [a, b] = await pair()
    b.gossip.loses = () => true
    let isApplied: boolean | undefined
    a.subscribe('late')
    a.exchange.whenApplied('all', 500, result => (isApplied = result))
    await world.advance(50)
    assert.ok(b.transport.send('node-a', 'interest', encodeApplied(3, 1000)))
    await world.advance(50)
    assert.equal(isApplied, undefined)
    assert.equal(a.exchange.stats.rejected, 1)
  })

  it('closes the link of a member that pulls without end', async () => {
    const [a, b] = await pair()
    const pull = encodePull({
      generation: 0,
      patternCount: 0,
      patternChecksum: 0,
      checksums: new Uint32Array(0),
    })
    for (let i = 0; i <= limits.interestPullsBurstMax; i++) a.transport.send('node-b', 'interest', pull)
    await world.advance(1)
    assert.equal(b.transport.isUp('node-a'), false)
    assert.equal(b.exchange.stats.flooded, 1)
    assert.ok(b.exchange.stats.repairsSent <= limits.interestPullsBurstMax + 1)
  })

  it('closes the link of a member that gossips beyond its share, and repairs what it dropped', async () => {
    const [a, b] = await pair()
    for (let i = 0; i < limits.gossipDeltasBurstMax * 2; i++)
      b.gossip.forge(delta('node-a', 3, 1000 + i, [`x/${i}`]), a.address.peerId)
    assert.ok(b.exchange.stats.flooded > limits.gossipDeltasBurstMax / 2)
    a.subscribe('real')
    await world.advance(3000)
    assert.deepEqual(b.seen('node-a'), ['real'])
  })

  it('takes back changes that the peer never made', async () => {
    const [a, b] = await pair(['real'])
    for (const filter of ['forged', 'too']) world.mention(filter)
    b.gossip.forge(delta('node-a', 3, 1, ['forged', 'too']), a.address.peerId)
    assert.deepEqual(b.seen('node-a'), ['forged', 'real', 'too'])
    await world.advance(2100)
    assert.deepEqual(b.seen('node-a'), ['real'])
    a.subscribe('next')
    await world.advance(50)
    assert.deepEqual(b.seen('node-a'), ['next', 'real'])
  })
})
