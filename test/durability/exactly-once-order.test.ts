import assert from 'node:assert/strict'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import { MqttHarness } from '../mqtt/support/mqtt-harness.ts'
import type { MemoryClient } from '../mqtt/support/memory-stream.ts'
import { wantRemotely } from '../support/remote-filters.ts'

/*
 * A crash takes back what is not committed. What a subscriber was told at QoS 2 before that, the broker would contradict
 * afterwards: it would send a released message again, or another message under an identifier the client holds.
 */
describe('To a durable session at QoS 2', () => {
  let commits: (() => void)[]
  let isHolding: boolean
  let harness: MqttHarness
  let subscriber: MemoryClient
  let publisher: MemoryClient

  beforeEach(async () => {
    commits = []
    isHolding = false
    const clock = {
      defer(commit: () => void): void {
        if (isHolding) commits.push(commit)
        else harness.clock.defer(commit)
      },
    }
    harness = new MqttHarness({}, new MemoryStore({ clock }))
    subscriber = await harness.connect('s', { clean: false, properties: { sessionExpiryInterval: 3600 } })
    await harness.subscribe(subscriber, 'a', 2)
    publisher = await harness.connect('p')
  })

  async function commit(): Promise<void> {
    isHolding = false
    for (const one of commits.splice(0)) one()
    await harness.settle()
  }

  function publish(): void {
    publisher.send({
      cmd: 'publish',
      topic: 'a',
      payload: 'x',
      qos: 2,
      messageId: 1,
      dup: false,
      retain: false,
    })
  }

  it('PUBREL leaves once the release is committed, not before', async () => {
    publish()
    await harness.settle()
    const messageId = subscriber.of('publish')[0]?.messageId ?? 0
    isHolding = true
    subscriber.send({ cmd: 'pubrec', messageId })
    await harness.settle()
    const early = subscriber.of('pubrel').length
    await commit()
    assert.equal(early, 0, 'PUBREL left before the journal had the release')
    assert.equal(subscriber.of('pubrel')[0]?.messageId, messageId)
  })

  it('PUBLISH leaves once the message and its identifier are committed, not before', async () => {
    isHolding = true
    publish()
    await harness.settle()
    const early = subscriber.of('publish').length
    await commit()
    assert.equal(early, 0, 'PUBLISH left before the journal had it')
    assert.equal(subscriber.of('publish').length, 1)
  })

  it('from a durable publisher, a message may go to other nodes once its receipt is committed, not before', async () => {
    wantRemotely(harness.remote, 'node-1', ['b'])
    const durable = await harness.connect('d', { clean: false, properties: { sessionExpiryInterval: 3600 } })
    isHolding = true
    durable.send({
      cmd: 'publish',
      topic: 'b',
      payload: 'x',
      qos: 2,
      messageId: 1,
      dup: false,
      retain: false,
    })
    await harness.settle()
    const [forwarded] = harness.forwarder.forwarded
    const sendAfter = forwarded?.acceptance?.sendAfter ?? 0
    assert.ok(sendAfter > harness.journal.committed, 'nothing holds it back')
    await commit()
    assert.ok(sendAfter <= harness.journal.committed, 'it waits for more than its receipt')
  })

  it('from a publisher whose session ends with its connection, a message goes to other nodes at once', async () => {
    wantRemotely(harness.remote, 'node-1', ['b'])
    isHolding = true
    publisher.send({
      cmd: 'publish',
      topic: 'b',
      payload: 'x',
      qos: 2,
      messageId: 1,
      dup: false,
      retain: false,
    })
    await harness.settle()
    assert.equal(harness.forwarder.forwarded[0]?.acceptance?.sendAfter ?? 0, 0)
  })
})
