import assert from 'node:assert/strict'
import fc from 'fast-check'
import { decodeHello, encodeHello, encodeReady, isReady } from '../../src/mesh/hello-codec.ts'

const hello = fc.record(
  {
    wireVersion: fc.nat(255),
    linkId: fc.stringMatching(/^[0-9a-f]{16}$/),
    incarnation: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    cluster: fc.string({ maxLength: 60 }),
    nodeId: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/),
  },
  { noNullPrototype: true },
)

describe('hello codec', () => {
  it('reads back what it wrote', () => {
    fc.assert(fc.property(hello, hello => assert.deepEqual(decodeHello(encodeHello(hello)), hello)))
  })

  it('refuses every proper prefix and never throws', () => {
    fc.assert(
      fc.property(hello, fc.nat(), (hello, at) => {
        const frame = encodeHello(hello)
        assert.equal(decodeHello(frame.subarray(0, at % frame.length)), undefined)
      }),
    )
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), bytes => void decodeHello(bytes)))
  })

  it('does not take a hello for a ready, or the other way round', () => {
    assert.equal(decodeHello(encodeReady()), undefined)
    assert.ok(isReady(encodeReady()))
    fc.assert(fc.property(hello, hello => assert.equal(isReady(encodeHello(hello)), false)))
  })
})
