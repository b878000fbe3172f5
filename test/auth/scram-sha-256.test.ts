import assert from 'node:assert/strict'
import fc from 'fast-check'
import { ScramClient } from '../support/scram-client.ts'
import { assertFailure, challengeOf, methodFor, stepOf, verifierOf } from './scram-attempt.ts'

/** What a stranger learns of a user's verifier from a challenge. */
function shapeOf(challenge: Buffer): { saltBytes: number; iterations: number; salt: string } {
  const [, salt = '', iterations = ''] = challenge.toString().split(',')
  return {
    saltBytes: Buffer.from(salt.slice(2), 'base64').length,
    iterations: Number(iterations.slice(2)),
    salt,
  }
}

describe('ScramSha256', () => {
  const name = fc.stringMatching(/^[a-z]{1,20}$/)

  it('has the name that clients send', () => {
    assert.equal(methodFor({}).name, 'SCRAM-SHA-256')
  })

  it('asks unknown users as it asks known ones, and refuses them with the same code', () => {
    const method = methodFor({ alice: verifierOf('secret', 5000, 24) })
    const outcomes = ['alice', 'mallory'].map(user => {
      const client = new ScramClient(user, 'wrong')
      const exchange = method.begin()
      const challenge = challengeOf(exchange, client.first)
      const outcome = stepOf(exchange, client.final(challenge))
      assertFailure(outcome)
      const { saltBytes, iterations } = shapeOf(challenge)
      return { bytes: challenge.length, saltBytes, iterations }
    })
    assert.deepEqual(outcomes[0], outcomes[1])
    assert.deepEqual([outcomes[0]?.saltBytes, outcomes[0]?.iterations], [24, 5000])
  })

  it('asks an unknown user in the same way each time, and two unknown users in different ways', () => {
    const method = methodFor({ alice: verifierOf('secret') })
    const salt = (user: string): string =>
      shapeOf(challengeOf(method.begin(), new ScramClient(user, '').first)).salt
    fc.assert(
      fc.property(name, name, (one, other) => {
        assert.equal(salt(one), salt(one))
        if (one !== other) assert.notEqual(salt(one), salt(other))
      }),
    )
  })

  it('asks unknown users in ways that are in use, each of them', () => {
    const method = methodFor({ a: verifierOf('x', 4096, 16), b: verifierOf('x', 8192, 10) })
    const seen = new Set<string>()
    for (let i = 0; i < 100; i++) {
      const { saltBytes, iterations } = shapeOf(
        challengeOf(method.begin(), new ScramClient(`nobody-${i}`, '').first),
      )
      seen.add(`${iterations}/${saltBytes}`)
    }
    assert.deepEqual([...seen].sort(), ['4096/16', '8192/10'])
  })

  it('makes the challenges of unknown users from the secret, so that nodes with one secret agree', () => {
    const verifiers = { alice: verifierOf('secret') }
    const salt = (secret: Uint8Array): string =>
      shapeOf(challengeOf(methodFor(verifiers, secret).begin(), new ScramClient('mallory', '').first)).salt
    assert.equal(salt(Buffer.alloc(32, 1)), salt(Buffer.alloc(32, 1)))
    assert.notEqual(salt(Buffer.alloc(32, 1)), salt(Buffer.alloc(32, 2)))
    assert.throws(() => methodFor(verifiers, Buffer.alloc(15)), /secret/)
  })

  it('refuses everybody when there is no user', () => {
    const client = new ScramClient('alice', 'secret')
    const exchange = methodFor({}).begin()
    assertFailure(stepOf(exchange, client.final(challengeOf(exchange, client.first))), /no user "alice"/)
  })

  it('gives each exchange a nonce of its own', () => {
    const method = methodFor({})
    const nonces = Array.from({ length: 100 }, () => {
      const [nonce = ''] = challengeOf(method.begin(), 'n,,n=alice,r=abc').toString().split(',')
      assert.match(nonce, /^r=abc[A-Za-z0-9+/]{24}$/)
      return nonce
    })
    assert.equal(new Set(nonces).size, 100)
  })

  it('carries on several exchanges at once', () => {
    const method = methodFor({ alice: verifierOf('secret'), bob: verifierOf('hunter2') })
    const clients = [new ScramClient('alice', 'secret'), new ScramClient('bob', 'hunter2')]
    const exchanges = clients.map(() => method.begin())
    const challenges = clients.map((client, i) => challengeOf(exchanges[i]!, client.first))
    const outcomes = clients.map((client, i) => stepOf(exchanges[i]!, client.final(challenges[i]!)))
    assert.deepEqual(
      outcomes.map(outcome => outcome.type === 'success' && outcome.username),
      ['alice', 'bob'],
    )
  })
})
