import assert from 'node:assert/strict'
import type { ConnectionHistory } from './lab-client.ts'
import { openConnections, ownershipViolations } from './ownership-checker.ts'

function history(where: string, from: number, sent: number[], to?: number): ConnectionHistory {
  return {
    clientId: 'c',
    where,
    establishedAtMs: from,
    closedAtMs: to,
    acknowledgements: sent.map(sentAtMs => ({ sentAtMs, acknowledgedAtMs: sentAtMs + 100 })),
  }
}

describe('the checker of ownership', () => {
  it('finds an acknowledgement of what was sent after another node took over', () => {
    const found = ownershipViolations([history('a', 0, [5, 25]), history('b', 20, [30])])
    assert.deepEqual(found, ['c: a acknowledged 1 messages sent after b had taken over'])
  })

  it('allows what was sent before', () => {
    assert.deepEqual(ownershipViolations([history('a', 0, [5, 19]), history('b', 20, [30])]), [])
  })

  it('counts the connections that are open', () => {
    assert.deepEqual(openConnections([history('a', 0, [], 9), history('b', 1, [])], 'c'), ['b'])
  })
})
