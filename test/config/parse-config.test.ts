import assert from 'node:assert/strict'
import { parseConfig } from '../../src/config/parse-config.ts'

describe('parseConfig', () => {
  it('fills in the defaults', () => {
    const config = parseConfig({ node: { id: 'a' }, auth: { anonymous: true } })
    assert.equal(config.node.id, 'a')
    assert.equal(config.mqtt.port, 1883)
  })

  it('names every mistake with its path', () => {
    const wrong = { node: { id: 'a b' }, mqtt: { port: 'x' }, nonsense: 1 } as unknown as object
    assert.throws(
      () => parseConfig(wrong),
      (error: Error) =>
        /node\.id/.test(error.message) && /mqtt\.port/.test(error.message) && /nonsense/.test(error.message),
    )
  })

  it('wants to know where the server has moved to', () => {
    assert.throws(
      () => parseConfig({ auth: { anonymous: true }, sessions: { serverMoved: true } }),
      /sessions\.serverReference: is required with serverMoved/,
    )
  })

  it('names faults between keys, such as nobody being allowed in', () => {
    assert.throws(() => parseConfig({}), /auth\.anonymous/)
  })
})
