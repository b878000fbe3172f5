import assert from 'node:assert/strict'
import { ScramClient } from '../support/scram-client.ts'

describe('ScramClient', () => {
  const serverFirst = 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'

  it('makes the messages of the example in RFC 7677', () => {
    const client = new ScramClient('user', 'pencil', 'rOprNGfwEbeRWgbNEkqO')
    assert.equal(client.first.toString(), 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO')
    assert.equal(
      client.final(Buffer.from(serverFirst)).toString(),
      'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    )
    assert(client.isServer(Buffer.from('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')))
    assert(!client.isServer(Buffer.from('v=AAAATRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')))
  })

  it('does not go on with a nonce that is not its own', () => {
    assert.throws(() => new ScramClient('user', 'pencil', 'another').final(Buffer.from(serverFirst)))
  })
})
