import assert from 'node:assert/strict'
import { parseConfig } from '../../src/config/parse-config.ts'
import type { NodeConfigInput } from '../../src/config/schema.ts'

type EtcdInput = NonNullable<NonNullable<NodeConfigInput['coordination']>['etcd']>

describe('configuration of etcd', () => {
  const parse = (etcd: EtcdInput): unknown =>
    parseConfig({ auth: { anonymous: true }, coordination: { store: 'etcd', etcd } })
  const refuses = (etcd: EtcdInput, pattern: RegExp): void => assert.throws(() => parse(etcd), pattern)
  const secure = { endpoints: ['https://etcd-1:2379', 'https://[::1]:2379/'] }

  it('takes several endpoints, all http or all https, with certificates and a user', () => {
    parse({ endpoints: ['http://10.0.0.1:2379', 'http://10.0.0.2:2379'] })
    parse({ ...secure, caFile: 'ca', certFile: 'c', keyFile: 'k', username: 'u', passwordFile: 'p' })
  })

  it('refuses a mix of http and https', () =>
    refuses(
      { endpoints: ['http://a:2379', 'https://b:2379'] },
      /coordination\.etcd\.endpoints: some are http and some https/,
    ))

  it('refuses endpoints without a port, and with more than a port', () => {
    for (const endpoint of ['https://etcd', 'http://user:password@etcd:2379', 'http://etcd:2379/v3']) {
      refuses({ endpoints: [endpoint] }, /coordination\.etcd\.endpoints: .*scheme, host and port/)
    }
  })

  it('refuses certificates where nothing would be encrypted', () =>
    refuses({ caFile: 'ca' }, /coordination\.etcd\.caFile: is set, but the endpoints are http/))

  it('asks for the other half of a pair', () => {
    refuses({ ...secure, certFile: 'c' }, /coordination\.etcd\.keyFile: is required with certFile/)
    refuses({ ...secure, keyFile: 'k' }, /coordination\.etcd\.certFile: is required with keyFile/)
    refuses({ username: 'u' }, /coordination\.etcd\.passwordFile: is required with username/)
    refuses({ passwordFile: 'p' }, /coordination\.etcd\.username: is required with passwordFile/)
  })

  it('knows no password that could be seen in a file or a process list', () =>
    refuses({ username: 'u', password: 'p' } as EtcdInput, /password/))
})
