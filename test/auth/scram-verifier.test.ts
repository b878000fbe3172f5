import assert from 'node:assert/strict'
import fc from 'fast-check'
import { formatVerifier, makeVerifier, parseVerifier } from '../../src/auth/scram-verifier.ts'

// The example of RFC 7677, with the keys that other implementations have for it.
const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
const pencil =
  'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU='

describe('SCRAM verifier', () => {
  it('is made of a password as PostgreSQL makes it', () => {
    assert.equal(formatVerifier(makeVerifier('pencil', 4096, salt)), pencil)
  })

  it('is the same for spellings that SASLprep makes equal', () => {
    assert.deepEqual(makeVerifier('e\u0301\u00a0\u00ad', 4096, salt), makeVerifier('é ', 4096, salt))
  })

  it('is not made of what cannot be used', () => {
    for (const [password, iterations, saltBytes, message] of [
      ['', 4096, 16, /password/],
      ['a\nb', 4096, 16, /password/],
      ['secret', 4095, 16, /iterations/],
      ['secret', 1_000_001, 16, /iterations/],
      ['secret', 4096.5, 16, /iterations/],
      ['secret', Number.NaN, 16, /iterations/],
      ['secret', 4096, 7, /salt/],
      ['secret', 4096, 65, /salt/],
    ] as const) {
      assert.throws(() => makeVerifier(password, iterations, Buffer.alloc(saltBytes, 1)), {
        name: 'RangeError',
        message,
      })
    }
  })

  it('is read back as it was written', () => {
    const verifier = fc.record(
      {
        iterations: fc.integer({ min: 4096, max: 1_000_000 }),
        salt: bytes(8, 64),
        storedKey: bytes(32, 32),
        serverKey: bytes(32, 32),
      },
      { noNullPrototype: true },
    )
    fc.assert(
      fc.property(verifier, verifier => assert.deepEqual(parseVerifier(formatVerifier(verifier)), verifier)),
    )
  })

  it('is refused with a reason when it is cut off or broken, and never throws', () => {
    for (let length = 0; length < pencil.length; length++) {
      assert.equal(typeof parseVerifier(pencil.slice(0, length)), 'string', `${length} characters`)
    }
    for (const [from, to, fault] of [
      ['SCRAM-SHA-256', 'SCRAM-SHA-1', /expected SCRAM-SHA-256/],
      ['4096', '4095', /iterations/],
      ['4096', '1000001', /iterations/],
      ['4096', '-4096', /expected/],
      ['4096', '99999999999', /expected/],
      ['gQ==', 'gQ', /salt is not base64/],
      ['W22ZaJ0SNY7soEsUEjb6gQ==', 'AAAA', /salt is not 8 to 64 bytes/],
      ['qY=', 'qZ=', /StoredKey/],
      ['dU=', '', /ServerKey/],
      ['dU=', 'dU= ', /ServerKey/],
    ] as const) {
      const answer = parseVerifier(pencil.replace(from, to))
      assert(typeof answer === 'string', `${from} → ${to}`)
      assert.match(answer, fault)
      assert(!answer.includes('WG5d8'), 'says nothing of the keys')
    }
    fc.assert(fc.property(fc.string(), text => assert.equal(typeof parseVerifier(text), 'string')))
  })
})

function bytes(minLength: number, maxLength: number): fc.Arbitrary<Buffer> {
  return fc.uint8Array({ minLength, maxLength }).map(array => Buffer.from(array))
}
