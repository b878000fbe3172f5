import assert from 'node:assert/strict'
import { MqttHarness } from './support/mqtt-harness.ts'

describe('SessionEstablisher', () => {
  it('claims a session again where CONNECT brings another interval, and only there', async () => {
    const harness = new MqttHarness()
    const connect = async (sessionExpiryInterval: number): Promise<void> => {
      const client = await harness.connect('x', { clean: false, properties: { sessionExpiryInterval } })
      assert.equal(client.of('connack').length, 1)
    }
    await connect(100)
    await connect(100)
    assert.deepEqual(harness.ownership.claimed, ['x'])
    await connect(200)
    assert.deepEqual(harness.ownership.claimed, ['x', 'x'])
  })
})
