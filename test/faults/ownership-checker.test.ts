import assert from 'node:assert/strict'
import type { ConnectionHistory } from './lab-client.ts'
import {
  openConnections,
  ownershipViolations,
  type OwnerSighting,
  tokenViolations,
} from './ownership-checker.ts'

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

describe('tokenViolations', () => {
  function sighting(nodeId: string, revision: number, askedAtMs: number, incarnation = 1): OwnerSighting {
    const token = { epoch: 1, revision }
    return { clientId: 'c', nodeId, incarnation, token, askedAtMs, answeredAtMs: askedAtMs + 10 }
  }

  it('is content with tokens that rise, and with answers that were under way together', () => {
    const seen = [sighting('n0', 5, 0), sighting('n1', 7, 20), sighting('n0', 5, 25), sighting('n1', 7, 40)]
    assert.deepEqual(tokenViolations(seen), [])
  })

  it('finds a token that two nodes had, or two lives of one', () => {
    assert.equal(tokenViolations([sighting('n0', 5, 0), sighting('n1', 5, 20)]).length, 1)
    assert.equal(tokenViolations([sighting('n0', 5, 0), sighting('n0', 5, 20, 2)]).length, 1)
  })

  it('finds a token that fell', () => {
    const violations = tokenViolations([sighting('n1', 7, 0), sighting('n0', 5, 20)])
    assert.deepEqual(violations, ['c: n0 (life 1) under 1:5 came after n1 (life 1) under 1:7'])
  })
})
