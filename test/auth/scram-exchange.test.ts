import assert from 'node:assert/strict'
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import fc from 'fast-check'
import { ScramExchange } from '../../src/auth/scram-exchange.ts'
import { parseVerifier } from '../../src/auth/scram-verifier.ts'
import { ScramClient } from '../support/scram-client.ts'
import { assertFailure, challengeOf, methodFor, stepOf, verifierOf } from './scram-attempt.ts'

const alice = verifierOf('secret')
const method = methodFor({
  alice,
  'a,b=c': verifierOf('comma'),
  Ⅸ: verifierOf('never found: the name is not prepared'),
  IX: verifierOf('nine'),
})

/** A client-final message with a right proof over whatever header and rest the test wants. */
function finalMessage(
  password: string,
  header: string,
  bare: string,
  serverFirst: Buffer,
  extension = '',
): string {
  const [nonce = '', salt = '', iterations = ''] = serverFirst
    .toString()
    .split(',')
    .map(field => field.slice(2))
  const hmac = (key: Uint8Array, text: string): Buffer => createHmac('sha256', key).update(text).digest()
  const salted = pbkdf2Sync(password, Buffer.from(salt, 'base64'), Number(iterations), 32, 'sha256')
  const clientKey = hmac(salted, 'Client Key')
  const withoutProof = `c=${Buffer.from(header).toString('base64')},r=${nonce}${extension}`
  const storedKey = createHash('sha256').update(clientKey).digest()
  const signature = hmac(storedKey, `${bare},${serverFirst.toString()},${withoutProof}`)
  const proof = clientKey.map((byte, index) => byte ^ (signature[index] ?? 0))
  return `${withoutProof},p=${Buffer.from(proof).toString('base64')}`
}

describe('ScramExchange', () => {
  it('carries out the example of RFC 7677', () => {
    const verifier = parseVerifier(
      'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
    )
    assert(typeof verifier !== 'string')
    const exchange = new ScramExchange('%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0', () => ({ verifier, isKnown: true }))
    assert.equal(
      challengeOf(exchange, 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO').toString(),
      'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    )
    assert.deepEqual(
      stepOf(
        exchange,
        'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
      ),
      {
        type: 'success',
        username: 'user',
        data: Buffer.from('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='),
      },
    )
  })

  it('knows a client by its password, and proves that it knows the user itself', () => {
    const client = new ScramClient('alice', 'secret')
    const exchange = method.begin()
    const outcome = stepOf(exchange, client.final(challengeOf(exchange, client.first)))
    assert(outcome.type === 'success')
    assert.equal(outcome.username, 'alice')
    assert(client.isServer(outcome.data))
  })

  it('refuses a wrong password and an empty one', () => {
    for (const password of ['Secret', '']) {
      const client = new ScramClient('alice', password)
      const exchange = method.begin()
      assertFailure(
        stepOf(exchange, client.final(challengeOf(exchange, client.first))),
        /wrong password.*alice/,
      )
    }
  })

  it('reads commas and equals signs in a user name', () => {
    const client = new ScramClient('a,b=c', 'comma')
    const exchange = method.begin()
    const outcome = stepOf(exchange, client.final(challengeOf(exchange, client.first)))
    assert(outcome.type === 'success')
    assert.equal(outcome.username, 'a,b=c')
  })

  it('takes spellings that SASLprep makes equal for one user, named by the prepared name', () => {
    for (const name of ['IX', 'I\u00adX', 'Ⅸ']) {
      const client = new ScramClient(name, 'nine')
      const exchange = method.begin()
      const outcome = stepOf(exchange, client.final(challengeOf(exchange, client.first)))
      assert(outcome.type === 'success', name)
      assert.equal(outcome.username, 'IX')
    }
  })

  it('takes each header that asks for nothing more, but no other header in the final message', () => {
    const bare = 'n=alice,r=abc'
    for (const header of ['n,,', 'y,,', 'n,a=alice,', 'y,a=alice,']) {
      const exchange = method.begin()
      const serverFirst = challengeOf(exchange, header + bare)
      const outcome = stepOf(exchange, finalMessage('secret', header, bare, serverFirst))
      assert.equal(outcome.type, 'success', header)
    }
    for (const [sent, confirmed] of [
      ['n,,', 'y,,'],
      ['y,,', 'n,,'],
      ['n,a=alice,', 'n,,'],
      ['n,,', 'n,,with channel binding data'],
      ['n,,', ''],
    ] as const) {
      const exchange = method.begin()
      const serverFirst = challengeOf(exchange, sent + bare)
      assertFailure(stepOf(exchange, finalMessage('secret', confirmed, bare, serverFirst)), /header/)
    }
  })

  it('ignores optional extensions but has them signed', () => {
    const bare = 'n=alice,r=abc,x=more,y=still more'
    const exchange = method.begin()
    const serverFirst = challengeOf(exchange, `n,,${bare}`)
    assert.equal(stepOf(exchange, finalMessage('secret', 'n,,', bare, serverFirst, ',z=1=2')).type, 'success')

    const another = method.begin()
    const message = finalMessage('secret', 'n,,', bare, challengeOf(another, `n,,${bare}`), ',z=1')
    assertFailure(stepOf(another, message.replace(',z=1', ',z=2')), /wrong password/)
  })

  for (const [what, first, detail] of [
    ['channel binding', 'p=tls-exporter,,n=alice,r=abc', /channel binding/],
    ['a mandatory extension', 'n,,m=new,n=alice,r=abc', /extension/],
    ['a mandatory extension at the end', 'n,,n=alice,r=abc,m=new', /extension/],
    ['another identity', 'n,a=bob,n=alice,r=abc', /act as "bob"/],
    ['an empty other identity', 'n,a=,n=alice,r=abc', /authorization identity/],
    ['no header', 'n=alice,r=abc', /header/],
    ['an unknown header', 'N,,n=alice,r=abc', /header/],
    ['a byte order mark', '\ufeffn,,n=alice,r=abc', /header/],
    ['no user name', 'n,,r=abc', /user name/],
    ['an empty user name', 'n,,n=,r=abc', /user name/],
    ['a bare equals sign in the user name', 'n,,n=al=ice,r=abc', /user name/],
    ['an escape in lower case', 'n,,n=al=2cice,r=abc', /user name/],
    ['a control character in the user name', 'n,,n=al\u0007ice,r=abc', /prohibited/],
    ['a user name of which nothing is left', 'n,,n=\u00ad,r=abc', /prohibited/],
    ['no nonce', 'n,,n=alice', /nonce/],
    ['an empty nonce', 'n,,n=alice,r=', /nonce/],
    ['a nonce with a space', 'n,,n=alice,r=a b', /nonce/],
    ['a nonce that is not ASCII', 'n,,n=alice,r=ä', /nonce/],
    ['a malformed extension', 'n,,n=alice,r=abc,,', /extension/],
    ['a NUL', 'n,,n=alice,r=abc,x=\0', /UTF-8/],
    ['a long message', `n,,n=alice,r=${'a'.repeat(4096)}`, /too long/],
    ['broken UTF-8', Buffer.from([...Buffer.from('n,,n=al'), 0xc0, 0xaf, ...Buffer.from(',r=a')]), /UTF-8/],
    [
      'a surrogate',
      Buffer.from([...Buffer.from('n,,n='), 0xed, 0xa0, 0x80, ...Buffer.from(',r=a')]),
      /UTF-8/,
    ],
    ['an empty message', '', /header/],
    ['no message', undefined, /missing/],
  ] as const) {
    it(`refuses ${what} in the first message, and the exchange with it`, () => {
      const exchange = method.begin()
      assertFailure(stepOf(exchange, first), detail)
      assertFailure(stepOf(exchange, 'n,,n=alice,r=abc'), /over/)
    })
  }

  for (const [what, change, detail] of [
    ['no message', () => undefined, /missing/],
    ['an empty message', () => '', /malformed/],
    ['a message without a proof', (m: string) => m.slice(0, m.indexOf(',p=')), /malformed/],
    ['a proof that is not last', (m: string) => `${m},x=1`, /proof/],
    ['a byte order mark', (m: string) => `\ufeff${m}`, /binding/],
    ['a short proof', (m: string) => m.replace(/p=.*/, 'p=AAAA'), /proof/],
    ['a proof without padding', (m: string) => m.replace(/=$/, ''), /proof/],
    ['the first message again', () => 'n,,n=alice,r=abc', /binding/],
    ['the attributes in another order', (m: string) => m.replace(/^(c=\w+),(r=[^,]+)/, '$2,$1'), /binding/],
    ['a nonce with something more', (m: string) => m.replace(/,p=/, 'x,p='), /nonce/],
    ['the nonce of the client alone', (m: string) => m.replace(/r=[^,]+/, 'r=abc'), /nonce/],
    ['a mandatory extension', (m: string) => m.replace(',p=', ',m=new,p='), /extension/],
    ['a proof of zeros', (m: string) => m.replace(/p=.*/, `p=${'A'.repeat(43)}=`), /wrong password/],
  ] as const) {
    it(`refuses ${what} at the end`, () => {
      const exchange = method.begin()
      const serverFirst = challengeOf(exchange, 'n,,n=alice,r=abc')
      assertFailure(
        stepOf(exchange, change(finalMessage('secret', 'n,,', 'n=alice,r=abc', serverFirst))),
        detail,
      )
    })
  }

  it('refuses a recorded authentication, even to a client that repeats its own nonce', () => {
    const client = new ScramClient('alice', 'secret', 'the same nonce'.replaceAll(' ', '-'))
    const recorded = method.begin()
    const final = client.final(challengeOf(recorded, client.first))
    assert.equal(stepOf(recorded, final).type, 'success')

    const replayed = method.begin()
    challengeOf(replayed, client.first)
    assertFailure(stepOf(replayed, final), /nonce/)
  })

  it('is over after its end, whatever that was', () => {
    const client = new ScramClient('alice', 'secret')
    const exchange = method.begin()
    const final = client.final(challengeOf(exchange, client.first))
    assert.equal(stepOf(exchange, final).type, 'success')
    assertFailure(stepOf(exchange, final), /over/)

    const failed = method.begin()
    challengeOf(failed, client.first)
    assertFailure(stepOf(failed, 'nonsense'))
    assertFailure(stepOf(failed, final), /over/)
  })

  it('does not keep the bytes it was given', () => {
    const client = new ScramClient('alice', 'secret')
    const exchange = method.begin()
    const first = Buffer.from(client.first)
    const challenge = challengeOf(exchange, first)
    first.fill(0)
    assert.equal(stepOf(exchange, client.final(challenge)).type, 'success')
  })

  describe('with changed messages', () => {
    /** Some bytes of a message replaced, removed, doubled or cut off. */
    const change = fc.record({
      at: fc.nat(),
      remove: fc.nat(3),
      insert: fc.oneof(
        fc.uint8Array({ maxLength: 3 }),
        fc.constantFrom(',', '=', 'm=', '=2C', ',x=', 'p=', '\ufeff', '\0').map(text => Buffer.from(text)),
      ),
      cut: fc.boolean(),
    })
    type Change = typeof change extends fc.Arbitrary<infer T> ? T : never

    function changed(message: Uint8Array, { at, remove, insert, cut }: Change): Buffer {
      const start = at % (message.length + 1)
      const rest = cut ? Buffer.alloc(0) : message.subarray(start + remove)
      return Buffer.concat([message.subarray(0, start), insert, rest])
    }

    it('never succeeds when the first message was not what the client signed', () => {
      fc.assert(
        fc.property(change, change => {
          const client = new ScramClient('alice', 'secret')
          const exchange = method.begin()
          const first = changed(client.first, change)
          fc.pre(!first.equals(client.first))
          const outcome = stepOf(exchange, first)
          if (outcome.type === 'failure') return assertFailure(outcome)
          assert(outcome.type === 'continue' && outcome.data !== undefined)
          // What a man in the middle would show the client, so that it goes on.
          const [nonce = '', ...others] = Buffer.from(outcome.data).toString().split(',')
          const own = client.first.toString().split('r=')[1] ?? ''
          const shown = nonce.startsWith(`r=${own}`) ? nonce : `r=${own}${nonce.slice(-24)}`
          const final = client.final(Buffer.from([shown, ...others].join(',')))
          const proof = final.toString().split(',p=')[1]
          assertFailure(stepOf(exchange, `c=biws,${nonce},p=${proof}`))
        }),
        { numRuns: 300 },
      )
    })

    it('never succeeds when the final message is not what the client sent', () => {
      fc.assert(
        fc.property(change, change => {
          const client = new ScramClient('alice', 'secret')
          const exchange = method.begin()
          const final = client.final(challengeOf(exchange, client.first))
          const bytes = changed(final, change)
          fc.pre(!bytes.equals(final))
          assertFailure(stepOf(exchange, bytes))
        }),
        { numRuns: 300 },
      )
    })

    it('answers every sequence of bytes with an outcome, and none with success', () => {
      const text = fc
        .array(
          fc.constantFrom('n', 'y', ',', ',,', 'n=', 'r=', 'c=biws', 'p=', 'a=', 'm=', '=2C', 'é', 'alice'),
        )
        .map(parts => Buffer.from(parts.join('')))
      const data = fc.oneof(fc.uint8Array({ maxLength: 100 }), text, fc.constant(undefined))
      fc.assert(
        fc.property(fc.array(data, { maxLength: 4 }), steps => {
          const exchange = method.begin()
          for (const step of steps) assert.notEqual(stepOf(exchange, step).type, 'success')
        }),
      )
    })
  })
})
