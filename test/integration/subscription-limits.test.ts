import assert from 'node:assert/strict'
import { startBroker, type TestBroker } from '../support/broker.ts'
import { RawClient } from '../support/raw-client.ts'

/** One node with everything real, and clients over TCP. */
describe('a client that subscribes to more than a session may have', function () {
  this.timeout(30_000)
  let broker: TestBroker

  before(async () => {
    broker = await startBroker({ subscriptionsMax: 3 })
  })

  after(() => broker.stop())

  for (const { version, code } of [
    { version: 5, code: 0x97 },
    { version: 4, code: 0x80 },
  ] as const) {
    it(`is told ${code} for each one too many, and gets what the others bring (protocol version ${version})`, async () => {
      const client = await RawClient.open(broker.port, version)
      await client.connect({ clientId: `c${version}` })
      const filters = ['a', '+/b', 'c', 'd', 'e/#'].map(topic => ({ topic, qos: 0 as const }))
      assert.deepEqual((await client.subscribe(filters)).granted, [0, 0, 0, code, code])
      for (const topic of ['d', 'x/b', 'e/f', 'c']) await client.publishThrough(topic, topic, { qos: 1 })
      assert.deepEqual((await client.drainPayloads()).sort(), ['c', 'x/b'])
      await client.drop()
    })
  }
})
