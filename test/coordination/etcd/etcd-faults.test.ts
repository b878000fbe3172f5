import assert from 'node:assert/strict'
import { etcdFault, isSupportedVersion } from '../../../coordination/etcd/etcd-faults.ts'

describe('etcdFault', () => {
  const cases: readonly (readonly [message: string, kind: string, name: string])[] = [
    ['8 RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded', 'refused', 'no-space'],
    ['8 RESOURCE_EXHAUSTED: etcdserver: too many requests', 'refused', 'overloaded'],
    ['14 UNAVAILABLE: etcdserver: request timed out', 'unknown', 'overloaded'],
    ['14 UNAVAILABLE: etcdserver: no leader', 'unknown', 'no-leader'],
    ['14 UNAVAILABLE: etcdserver: leader changed', 'unknown', 'no-leader'],
    ['7 PERMISSION_DENIED: etcdserver: permission denied', 'refused', 'forbidden'],
    ['15 DATA_LOSS: etcdserver: corrupt cluster', 'unknown', 'corrupt'],
    ['4 DEADLINE_EXCEEDED: Deadline exceeded after 3.0s,remote_addr=127.0.0.1:2379', 'unknown', 'late'],
    ['4 DEADLINE_EXCEEDED: Deadline exceeded after 3.0s,Waiting for LB pick', 'notSent', 'no-connection'],
    [
      '14 UNAVAILABLE: No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:2379. Resolution note: ',
      'notSent',
      'no-connection',
    ],
    [
      '14 UNAVAILABLE: No connection established. Last error: Error: certificate has expired. Resolution note: ',
      'notSent',
      'certificate-outdated',
    ],
    ['14 UNAVAILABLE: Connection dropped', 'unknown', 'other'],
    [
      '14 UNAVAILABLE: No connection established. Last error: null. Resolution note: ',
      'notSent',
      'no-connection',
    ],
  ]
  for (const [message, kind, name] of cases) {
    it(`takes "${message.slice(0, 70)}" for ${kind}, ${name}`, () => {
      const fault = etcdFault(new Error(message))
      assert.deepEqual([fault.kind, fault.name], [kind, name])
      assert.match(fault.reason, /^[^\n]+$/)
      assert.doesNotMatch(fault.reason, /UNAVAILABLE:|Resolution note|null/)
    })
  }

  it('never takes for refused what a proxy between may have said', () => {
    assert.equal(etcdFault(new Error('7 PERMISSION_DENIED: blocked by policy')).kind, 'unknown')
  })
})

describe('isSupportedVersion', () => {
  it('is 3.4 and above', () => {
    assert.deepEqual(
      ['2.3.8', '3.3.27', '3.4.0', '3.4.23', '3.5.9', '3.10.0', '4.0.0', '3.6.0-alpha.0', 'strange'].map(
        isSupportedVersion,
      ),
      [false, false, true, true, true, true, true, true, false],
    )
  })
})
