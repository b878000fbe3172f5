import assert from 'node:assert/strict'
import { ReadBuffers } from '../../src/listeners/read-buffers.ts'

describe('ReadBuffers', () => {
  it('asks for a minor collection whenever so much was read that V8 would soon mark its heap', () => {
    const asked: object[] = []
    const buffers = new ReadBuffers(options => asked.push(options))
    const chunks = (count: number): void => {
      for (let i = 0; i < count; i++) buffers.read(64 * 1024)
    }
    chunks(383)
    assert.deepEqual(asked, [])
    chunks(1)
    assert.deepEqual(asked, [{ type: 'minor' }])
    chunks(384)
    assert.equal(asked.length, 2)
  })

  it('frees buffers nobody holds, outside the heap, without a full collection', async () => {
    const before = process.memoryUsage().arrayBuffers
    const buffers = new ReadBuffers()
    for (let i = 0; i < 1024; i++) {
      buffers.read(Buffer.allocUnsafeSlow(64 * 1024).length)
      // A turn of its own, as reads of a socket are.
      if (i % 64 === 0) await new Promise(resolve => setImmediate(resolve))
    }
    assert.ok(process.memoryUsage().arrayBuffers - before < 48 * 1024 * 1024)
  })
})
