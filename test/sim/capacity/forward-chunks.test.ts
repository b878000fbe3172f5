import assert from 'node:assert/strict'
import {
  arrivalsPerTurn,
  chunksPerSecond,
  settledChunks,
  type Forwarding,
} from '../../../sim/capacity/forward-chunks.ts'

/** Everything that comes goes on to the one other node. */
const toOne: Forwarding = { perSecond: 5000, peers: 1, arrivals: 5000 }

function near(actual: number, expected: number, share: number): void {
  assert.ok(Math.abs(actual / expected - 1) < share, `${actual} is not about ${expected}`)
}

describe('arrivalsPerTurn', () => {
  it('is one on a core that has nothing to do otherwise, and more the busier it is', () => {
    near(arrivalsPerTurn(0), 1, 1e-9)
    // What 5,000 messages/s of 84 µs each came to on real nodes: 4,490 to 4,600 wakes.
    near(arrivalsPerTurn(0.42), 1.1, 0.02)
    near(arrivalsPerTurn(0.8), 1.5, 0.02)
    assert.ok(arrivalsPerTurn(2) > 10)
  })
})

describe('chunksPerSecond', () => {
  it('has a chunk for every forward at low load, to however many peers', () => {
    near(chunksPerSecond(toOne, 0), 5000, 1e-9)
    near(chunksPerSecond({ perSecond: 2500, peers: 19, arrivals: 10_000 }, 0), 2500, 1e-9)
  })

  it('has no more than one chunk a turn to the only peer', () => {
    near(chunksPerSecond(toOne, 0.8), 5000 / arrivalsPerTurn(0.8), 1e-9)
  })

  it('gathers next to nothing where forwards go to many peers', () => {
    assert.ok(chunksPerSecond({ perSecond: 2500, peers: 19, arrivals: 10_000 }, 0.8) > 2480)
  })

  it('has none where nothing is forwarded', () => {
    assert.equal(chunksPerSecond({ perSecond: 0, peers: 19, arrivals: 0 }, 0.5), 0)
  })
})

describe('settledChunks', () => {
  it('finds the load at which chunks cost what they add to it', () => {
    const chunks = settledChunks(toOne, 80, 0.02)
    near(chunks, chunksPerSecond(toOne, 0.02 + (chunks * 80) / 1e6), 1e-6)
    assert.ok(chunks < 5000)
  })

  it('gathers as much as there is to gather where a core cannot do it all alone', () => {
    const chunks = settledChunks({ perSecond: 100_000, peers: 1, arrivals: 100_000 }, 80, 0.1)
    near((chunks * 80) / 1e6, 0.9, 0.01)
  })
})
