import assert from 'node:assert/strict'
import { SessionChannel } from '../../coordination/session-channel.ts'
import { SimPeerNetwork, type SimPeerTransport } from '../../sim/ports/sim-peer-network.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import { limits } from '../../src/core/limits.ts'

describe('SessionChannel', () => {
  let clock: VirtualClock
  let here: SimPeerTransport
  let there: SimPeerTransport
  let channel: SessionChannel
  let sender: SessionChannel
  const heard: string[] = []

  beforeEach(async () => {
    heard.length = 0
    clock = new VirtualClock()
    const network = new SimPeerNetwork(clock)
    here = network.transport('here')
    there = network.transport('there')
    channel = new SessionChannel(here, clock)
    sender = new SessionChannel(there, clock)
    here.start('here', 1)
    there.start('there', 2)
    here.setMembers([{ nodeId: 'there', incarnation: 2, ...there.self }])
    there.setMembers([{ nodeId: 'here', incarnation: 1, ...here.self }])
    await clock.advance(10)
    channel.onType('greeting', ({ nodeId }, { text }) => {
      heard.push(`${nodeId}: ${String(text)}`)
      return typeof text === 'string'
    })
    channel.onBytes(1, (_from, bytes) => {
      heard.push(`bytes ${bytes.join()}`)
      return bytes.length > 0
    })
  })

  it('hands frames to the handler of their type, or of their first byte, with where they came from', async () => {
    assert.equal(sender.send('here', { type: 'greeting', text: 'hello' }), true)
    assert.equal(sender.sendBytes('here', Uint8Array.of(1, 7, 8)), true)
    await clock.advance(5)
    assert.deepEqual(heard, ['there: hello', 'bytes 7,8'])
    assert.ok(here.isUp('there'))
  })

  for (const [what, bytes] of [
    ['of another version', '{"v":2,"type":"greeting","text":"x"}'],
    ['of no version', '{"type":"greeting","text":"x"}'],
    ['of a type nobody handles', '{"v":1,"type":"unheard"}'],
    ['without a type', '{"v":1}'],
    ['whose type is a property of every object', '{"v":1,"type":"constructor"}'],
    ['its handler refuses', '{"v":1,"type":"greeting","text":7}'],
    ['that is no JSON', '{"v":1,'],
    ['that is too long', `{"v":1,"type":"greeting","text":"${'x'.repeat(5000)}"}`],
    ['with a first byte nobody handles', '\u0003abc'],
    ['refused by the handler of its first byte', '\u0001'],
    ['that is empty', ''],
  ] as const) {
    it(`closes the link by which a frame ${what} came`, async () => {
      there.send('here', 'session', new TextEncoder().encode(bytes))
      await clock.advance(1.5)
      assert.equal(here.isUp('there'), false)
    })
  }

  /** As fast as the link takes them; 40 bytes each, unless `bytes` are given. */
  async function send(
    count: number,
    bytes = new TextEncoder().encode('{"v":1,"type":"greeting","text":"hello"}'),
  ) {
    for (let sent = 0; sent < count && here.isUp('there');) {
      if (!there.send('here', 'session', bytes)) await clock.advance(1)
      else if (++sent % 10_000 === 0) await clock.advance(1)
    }
    await clock.advance(2)
  }

  it('bears ten thousand sessions that move at once', async () => {
    // A request, word that it has moved, and four answers to what follows, for each.
    await send(60_000)
    assert.ok(here.isUp('there'))
    assert.equal(channel.flooded, 0)
  })

  it('closes the link of a member that sends without end, also after it has come back', async () => {
    await send(limits.sessionFramesBurstMax + 10_000)
    assert.equal(here.isUp('there'), false)
    assert.equal(channel.flooded, 1)
    const before = heard.length
    assert.ok(before <= limits.sessionFramesBurstMax + limits.sessionFramesPerSecondMax)
    await relink()
    await send(10_000)
    assert.equal(here.isUp('there'), false, 'what it may send is its own, not the link’s')
    assert.equal(channel.flooded, 2)
    await clock.advance(5000)
    await relink()
    await send(10_000)
    assert.ok(here.isUp('there'), 'five seconds later it may send a hundred thousand again')
  })

  it('closes the link of a member that sends more messages than it may, unless they were asked for', async () => {
    channel.onBytes(2, () => 'asked')
    const chunk = new Uint8Array(16 * 1024 * 1024)
    const enough = limits.sessionBytesBurstMax / chunk.length + 10
    chunk[0] = 2
    await send(enough, chunk)
    assert.ok(here.isUp('there'))
    chunk[0] = 3
    channel.onBytes(3, () => true)
    await send(enough, chunk)
    assert.equal(here.isUp('there'), false)
    assert.equal(channel.flooded, 1)
  })

  async function relink(): Promise<void> {
    while (!here.isUp('there') || !there.isUp('here')) await clock.advance(1)
  }
})
