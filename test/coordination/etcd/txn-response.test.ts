import assert from 'node:assert/strict'
import { decodeTxnResponse } from '../../../coordination/etcd/txn-response.ts'

/** At revision 300: a claim that failed and read "k", a key deleted, a key put. */
const answer = [
  '0a1b' + '08b298eaf1948386fccd01' + '10cdd2918bd2b881cf8e01' + '18ac02' + '2002', // header: cluster, member, revision, term
  '1001', // succeeded
  '1a27' + '2225' + '0a00' + '1000' + '1a1f' + '0a1d', // response_txn: not succeeded; response_range
  '0a00' + '1217' + '0a016b' + '1007' + '18ab02' + '2002' + '2a0176' + '30d9cbf2b8968ddda669' + '2001', // one key, count 1
  '1a06' + '1a04' + '0a00' + '1001', // response_delete_range: 1
  '1a04' + '1202' + '0a00', // response_put
]
const bytes = Buffer.from(answer.join(''), 'hex')

describe('decodeTxnResponse', () => {
  it('reads what each operation came to, and gives nested ones the revision of the store', () => {
    const entry = {
      key: 'k',
      value: Buffer.from('v'),
      createRevision: 7,
      modRevision: 299,
      leaseId: '7587848943239472601',
    }
    assert.deepEqual(decodeTxnResponse(bytes), {
      succeeded: true,
      revision: 300,
      results: [
        {
          type: 'transaction',
          result: { succeeded: false, revision: 300, results: [{ type: 'get', entry }] },
        },
        { type: 'delete', deleted: 1 },
        { type: 'put' },
      ],
    })
  })

  it('passes over fields of later versions of etcd', () => {
    const later = Buffer.concat([
      bytes,
      Buffer.from('f80101' + '82020161' + '8d0200000000' + '91020000000000000000', 'hex'),
    ])
    assert.deepEqual(decodeTxnResponse(later), decodeTxnResponse(bytes))
  })

  it('refuses what ends within a field, or tells no revision', () => {
    const whole = decodeTxnResponse(bytes)
    const fieldEnds = new Set([29, 31, 31 + 41, 31 + 41 + 8])
    for (let length = 0; length < bytes.length; length++) {
      const read = (): unknown => decodeTxnResponse(bytes.subarray(0, length))
      if (fieldEnds.has(length)) assert.notDeepEqual(read(), whole)
      else assert.throws(read, /a response of etcd/)
    }
  })

  it('refuses an operation it does not know', () => {
    const header = '0a02' + '1801'
    assert.throws(() => decodeTxnResponse(Buffer.from(`${header}1a022a00`, 'hex')), /not known/)
  })
})
