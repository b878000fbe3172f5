import assert from 'node:assert/strict'
import { judgePhase, PHASE_PATIENCE_MS, type PhaseEvidence } from '../../coordination/mode-judgement.ts'
import {
  aborted,
  beginSwitch,
  decodeAck,
  decodeMode,
  encodeAck,
  encodeMode,
  nextPhase,
  planOf,
  type ModeAck,
  type ModeRecord,
} from '../../coordination/mode-record.ts'

const LIVES = ['a/1', 'b/2', 'c/3']
const idle: ModeRecord = { mode: 'gossip', epoch: 4, current: undefined, last: undefined }
const begun = beginSwitch(idle, { to: 'etcd', nodeId: 'b', lives: LIVES }, 1000)

function currentOf({ current }: ModeRecord): NonNullable<ModeRecord['current']> {
  return current ?? assert.fail('no switch is under way')
}

/** The record after so many phases. */
function after(phases: number): ModeRecord {
  let record = begun
  for (let i = 0; i < phases; i++) record = nextPhase(record, currentOf(record), LIVES, 1000 + i)
  return record
}

describe('the mode record', () => {
  it('comes back as it was written, in every phase and at the end', () => {
    const records = [idle, ...[0, 1, 2, 3, 4].map(after), aborted(begun, currentOf(begun), 'why', 2000)]
    for (const record of records) assert.deepEqual(decodeMode(encodeMode(record)), record)
    const ack: ModeAck = { epoch: 3, compared: LIVES, fault: 'x' }
    assert.deepEqual(decodeAck(encodeAck(ack)), ack)
  })

  it('is none when it is cut short or says what no version writes', () => {
    const { current } = begun
    for (const fields of [
      {},
      { mode: 'carrier pigeon', epoch: 1 },
      { mode: 'gossip', epoch: 0 },
      { mode: 'etcd', epoch: 5, current },
      { mode: 'gossip', epoch: 5, current: { ...current, phase: 'later' } },
      { mode: 'gossip', epoch: 5, current: { ...current, lives: [7] } },
    ])
      assert.equal(decodeMode(new TextEncoder().encode(JSON.stringify(fields))), undefined)
    assert.equal(decodeMode(encodeMode(begun).subarray(1)), undefined)
    assert.equal(decodeAck(new TextEncoder().encode('{"epoch":1}')), undefined)
  })

  it('asks for the old feed until every node reads both, and raises the epoch with each step', () => {
    assert.deepEqual(planOf(idle), { writes: ['gossip'], reads: ['gossip'], compares: undefined })
    const both = ['gossip', 'etcd']
    assert.deepEqual([0, 1, 2, 3].map(after).map(planOf), [
      { writes: both, reads: ['gossip'], compares: undefined },
      { writes: both, reads: ['gossip'], compares: 'etcd' },
      { writes: both, reads: both, compares: undefined },
      { writes: ['etcd'], reads: both, compares: undefined },
    ])
    assert.deepEqual(planOf(after(4)), { writes: ['etcd'], reads: ['etcd'], compares: undefined })
    assert.deepEqual(
      [0, 1, 2, 3, 4].map(phases => after(phases).epoch),
      [5, 6, 7, 8, 9],
    )
    assert.equal(after(4).last?.outcome, 'switched')
  })

  it('cannot be given up once the old feed has begun to stop', () => {
    const record = after(3)
    assert.throws(() => aborted(record, currentOf(record), 'why', 1))
  })
})

describe('judgePhase', () => {
  const judge = (record: ModeRecord, evidence: Partial<PhaseEvidence>): ModeRecord | undefined =>
    judgePhase(record, currentOf(record), {
      lives: LIVES,
      acks: new Map(),
      elapsedMs: 0,
      isStoreFull: false,
      nowMs: 5000,
      ...evidence,
    })
  const acks = (epoch: number, compared: readonly string[] = LIVES): Map<string, ModeAck> =>
    new Map(LIVES.map(life => [life, { epoch, compared, fault: undefined }]))

  it('passes a phase when every member has done it, in this epoch', () => {
    assert.equal(judge(begun, { acks: acks(5) })?.current?.phase, 'compare')
    assert.equal(judge(begun, { acks: acks(4) }), undefined)
    assert.equal(judge(begun, { acks: new Map([...acks(5)].slice(1)) }), undefined)
  })

  it('waits for a member that has joined, and for it to be compared by everybody', () => {
    const lives = [...LIVES, 'd/9']
    assert.equal(judge(begun, { lives, acks: acks(5) }), undefined)
    const comparing = after(1)
    const known = acks(6).set('d/9', { epoch: 6, compared: LIVES, fault: undefined })
    assert.equal(judge(comparing, { lives, acks: known }), undefined)
    const compared = acks(6, lives).set('d/9', { epoch: 6, compared: lives, fault: undefined })
    assert.equal(judge(comparing, { lives, acks: compared })?.current?.phase, 'cut-over')
  })

  it('gives up when a member is missing, until the old feed begins to stop', () => {
    const lives = ['a/1', 'c/3']
    for (const phases of [0, 1, 2]) {
      assert.match(judge(after(phases), { lives })?.last?.reason ?? '', /^b left during /)
    }
    assert.equal(judge(after(3), { lives }), undefined)
    assert.equal(judge(after(3), { lives, acks: acks(8) })?.mode, 'etcd')
  })

  it('takes a new life of a node for another member', () => {
    assert.equal(judge(begun, { lives: ['a/1', 'b/7', 'c/3'] })?.last?.reason, 'b left during write-both')
  })

  it('gives up for the fault of a member, not of one that is gone', () => {
    const faulty = acks(5).set('b/2', { epoch: 5, compared: [], fault: 'mismatch' })
    assert.equal(judge(begun, { acks: faulty })?.last?.reason, 'b: mismatch')
    const gone = acks(5).set('x/1', { epoch: 5, compared: [], fault: 'mismatch' })
    assert.equal(judge(begun, { acks: gone })?.current?.phase, 'compare')
  })

  it('gives up when the store gets full, towards it only', () => {
    assert.match(judge(begun, { isStoreFull: true })?.last?.reason ?? '', /quota/)
    const back = beginSwitch({ ...idle, mode: 'etcd' }, { to: 'gossip', nodeId: 'b', lives: LIVES }, 0)
    assert.equal(judge(back, { isStoreFull: true }), undefined)
  })

  it('has patience for a minute, and for ever once the old feed has begun to stop', () => {
    assert.equal(judge(begun, { elapsedMs: PHASE_PATIENCE_MS - 1 }), undefined)
    assert.match(
      judge(begun, { elapsedMs: PHASE_PATIENCE_MS })?.last?.reason ?? '',
      /^a, b, c did not finish write-both within 60 s$/,
    )
    assert.equal(judge(after(3), { elapsedMs: 10 * PHASE_PATIENCE_MS }), undefined)
  })
})
