import assert from 'node:assert/strict'
import { brokerReadiness } from '../../src/node/broker-readiness.ts'

type View = Parameters<typeof brokerReadiness>[0]

describe('brokerReadiness', () => {
  const well: View = {
    isOwner: true,
    isPromised: false,
    phase: 'serving',
    unlinked: [],
    interest: { missing: [], unheard: [] },
    retained: { isSynchronized: true, clockComplaints: [] },
    othersCount: 2,
    storeRefusal: undefined,
    storeError: undefined,
  }
  const failing = (view: Partial<View>): string[] =>
    brokerReadiness({ ...well, ...view })
      .filter(({ ok }) => !ok)
      .map(({ name, detail }) => `${name}: ${detail}`)

  it('finds nothing wrong with a node that serves', () => {
    assert.deepEqual(failing({}), [])
  })

  it('says that a node goes on by promises, and is still ready', () => {
    const [coordination] = brokerReadiness({ ...well, isPromised: true })
    assert.equal(coordination?.ok, true)
    assert.match(coordination.detail, /all other members promise/)
  })

  it('is not ready while the coordination store refuses what new sessions need, and says why', () => {
    const [coordination] = failing({ storeRefusal: 'permission denied: grant the user readwrite' })
    assert.match(coordination ?? '', /^coordination: .*new sessions are refused: permission denied: grant/)
  })

  it('blames the clock of a node that most others find ahead, not of one that a single other does', () => {
    const complaint = (nodeId: string): { nodeId: string; aheadMs: number } => ({ nodeId, aheadMs: 700 })
    assert.deepEqual(failing({ retained: { isSynchronized: true, clockComplaints: [complaint('b')] } }), [])
    const clockComplaints = [complaint('b'), complaint('c')]
    const [clock] = failing({ retained: { isSynchronized: true, clockComplaints } })
    assert.match(clock ?? '', /^clock: .*700 ms ahead of b, 700 ms ahead of c.*NTP/)
  })

  it('waits for retained messages to be compared before a node serves, not after', () => {
    const retained = { isSynchronized: false, clockComplaints: [] }
    assert.match(failing({ retained, phase: 'joining' }).join('\n'), /^retained: /m)
    assert.deepEqual(failing({ retained }), [])
  })
})
