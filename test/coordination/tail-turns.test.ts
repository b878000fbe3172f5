import assert from 'node:assert/strict'
import { TailTurns } from '../../coordination/tail-turns.ts'

describe('TailTurns', () => {
  const told: string[] = []
  const taker = (name: string) => ({ onTurn: () => void told.push(name) })
  let turns: TailTurns

  beforeEach(() => {
    told.length = 0
    turns = new TailTurns()
  })

  /** As many as may go at once to that node. */
  function fill(nodeId: string): ReturnType<typeof taker>[] {
    const going = []
    let next = taker('going')
    for (; turns.take(nodeId, next); next = taker('going')) {
      going.push(next)
      assert.ok(going.length < 10, 'it is not bounded')
    }
    turns.giveBack(nodeId, next)
    return going
  }

  it('gives the next turn to whoever has waited longest', () => {
    const [first, second] = fill('b')
    assert.ok(first !== undefined && second !== undefined)
    const early = taker('early')
    assert.equal(turns.take('b', early), false)
    assert.equal(turns.take('b', taker('late')), false)
    turns.giveBack('b', first)
    assert.deepEqual(told, ['early'])
    assert.equal(turns.take('b', early), true) // it has one
    assert.equal(turns.take('b', first), false) // and asks anew, behind the other
    turns.giveBack('b', second)
    assert.deepEqual(told, ['early', 'late'])
  })

  it('does not let the tails to one node wait for those to another', () => {
    fill('b')
    assert.equal(turns.take('c', taker('other')), true)
  })

  it('passes over those who wait no more', () => {
    const [first] = fill('b')
    assert.ok(first !== undefined)
    const impatient = taker('impatient')
    turns.take('b', impatient)
    turns.take('b', taker('patient'))
    turns.giveBack('b', impatient)
    turns.giveBack('b', first)
    turns.giveBack('b', first) // nor is a turn given back twice
    assert.deepEqual(told, ['patient'])
  })

  it('forgets a node to which nothing is under way', () => {
    const going = fill('b')
    for (const one of going) turns.giveBack('b', one)
    assert.equal(fill('b').length, going.length)
  })
})
