import assert from 'node:assert/strict'
import { encodeTxnRequest } from '../../../coordination/etcd/txn-request.ts'
import type { CoordinationTransaction } from '../../../src/core/ports/coordination-store.ts'

const nothing = { compare: [], success: [], failure: [] }

describe('encodeTxnRequest', () => {
  it('writes a nested claim as etcd reads it', () => {
    const claim: CoordinationTransaction = {
      compare: [{ key: 'k', target: 'modRevision', is: 'equal', revision: 300 }],
      success: [{ type: 'put', key: 'k', value: Buffer.from('v'), leaseId: '7587848943239472601' }],
      failure: [{ type: 'get', key: 'k' }],
    }
    const request = encodeTxnRequest({
      compare: [{ key: '/m', target: 'createRevision', is: 'greater', revision: 0 }],
      success: [
        { type: 'transaction', transaction: claim },
        { type: 'delete', key: 'é' },
      ],
      failure: [],
    })
    assert.equal(
      request.toString('hex'),
      [
        '0a0a' + '0801' + '1001' + '1a022f6d' + '2800', // compare: greater, create, "/m", create_revision 0
        '1229' + '2227', // success: request_txn
        '0a0a' + '0800' + '1002' + '1a016b' + '30ac02', // compare: equal, mod, "k", mod_revision 300
        '1212' + '1210' + '0a016b' + '120176' + '18d9cbf2b8968ddda669', // success: request_put: "k", "v", lease
        '1a05' + '0a03' + '0a016b', // failure: request_range: "k"
        '1206' + '1a04' + '0a02c3a9', // success: request_delete_range: "é"
      ].join(''),
    )
  })

  it('writes lengths and numbers of any size', () => {
    const value = new Uint8Array(70_000).fill(7)
    const request = encodeTxnRequest({
      ...nothing,
      compare: [{ key: 'k'.repeat(200), target: 'modRevision', is: 'less', revision: 2 ** 53 - 1 }],
      success: [{ type: 'put', key: 'k', value }],
    })
    const compare = ['0ad801', '0802', '1002', `1ac801${'6b'.repeat(200)}`, '30ffffffffffffff0f'].join('')
    const put = ['12fba204', '12f7a204', '0a016b', '12f0a204', '07'.repeat(70_000)].join('')
    assert.ok(request.equals(Buffer.from(compare + put, 'hex')))
  })

  it('writes nothing for a transaction of nothing', () => {
    assert.equal(encodeTxnRequest(nothing).length, 0)
  })
})
