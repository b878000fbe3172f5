import assert from 'node:assert/strict'
import { WindowUpdates } from '../../src/mesh/window-updates.ts'

const SYN = 1
const FIN = 4

function update(streamId: number, bytes: number, flags = 0): Uint8Array {
  return frame(1, flags, streamId, bytes)
}

function frame(type: number, flags: number, streamId: number, length: number): Uint8Array {
  const made = new Uint8Array(12)
  const view = new DataView(made.buffer)
  view.setUint8(1, type)
  view.setUint16(2, flags)
  view.setUint32(4, streamId)
  view.setUint32(8, length)
  return made
}

function grantOf(sent: Uint8Array): number {
  return new DataView(sent.buffer).getUint32(8)
}

describe('WindowUpdates', () => {
  it('holds small updates back and adds them to the one that makes them worth sending', () => {
    const updates = new WindowUpdates()
    for (let i = 0; i < 3; i++) assert.equal(updates.hold(update(1, 20_000)), true)
    const last = update(1, 20_000)
    assert.equal(updates.hold(last), false)
    assert.equal(grantOf(last), 80_000)
    assert.equal(updates.hold(update(1, 20_000)), true, 'and begins anew')
  })

  it('never holds back a quarter of the smallest window', () => {
    const updates = new WindowUpdates()
    let granted = 0
    let consumed = 0
    for (let i = 0; i < 10_000; i++) {
      const bytes = 1 + ((i * 7919) % 5000)
      consumed += bytes
      const sent = update(1, bytes)
      if (!updates.hold(sent)) granted += grantOf(sent)
      assert.ok(consumed - granted < 64 * 1024)
    }
  })

  it('counts each stream for itself', () => {
    const updates = new WindowUpdates()
    assert.equal(updates.hold(update(1, 40_000)), true)
    assert.equal(updates.hold(update(3, 40_000)), true)
    const first = update(1, 40_000)
    assert.equal(updates.hold(first), false)
    assert.equal(grantOf(first), 80_000)
  })

  it('lets through what opens or closes a stream, unchanged, and everything that is no update', () => {
    const updates = new WindowUpdates()
    const opening = update(1, 0, SYN)
    assert.equal(updates.hold(opening), false)
    assert.equal(updates.hold(update(1, 100)), true)
    const closing = update(1, 0, FIN)
    assert.equal(updates.hold(closing), false)
    assert.equal(grantOf(closing), 0)
    assert.equal(updates.hold(frame(0, 0, 1, 0)), false, 'data')
    assert.equal(updates.hold(frame(2, 0, 0, 1)), false, 'ping')
    assert.equal(updates.hold(frame(3, 0, 0, 0)), false, 'go away')
    assert.equal(updates.hold(new Uint8Array(13).fill(1)), false, 'no header alone')
  })

  it('remembers a bounded number of streams', () => {
    const updates = new WindowUpdates()
    for (let streamId = 1; streamId <= 64; streamId++) assert.equal(updates.hold(update(streamId, 1)), true)
    assert.equal(updates.hold(update(65, 1)), false)
    assert.equal(updates.hold(update(1, 1)), true)
  })
})
