import assert from 'node:assert/strict'
import { SessionChannel } from '../../coordination/session-channel.ts'
import { SimPeerNetwork, type SimPeerTransport } from '../../sim/ports/sim-peer-network.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'

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
    channel = new SessionChannel(here)
    sender = new SessionChannel(there)
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
})
