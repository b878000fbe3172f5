import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { configKeys } from '../../src/config/config-keys.ts'
import { loadConfig, type ConfigSources } from '../../src/config/load-config.ts'
import { GrapevineError } from '../../src/core/errors.ts'

describe('loadConfig', () => {
  let directory: string
  let file: string

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'grapevine-config-'))
    file = join(directory, 'grapevine.yaml')
  })

  after(async () => {
    await rm(directory, { recursive: true })
  })

  const load = async (sources: Partial<ConfigSources> & { yaml?: string }) => {
    const { yaml, flags, ...rest } = sources
    if (yaml !== undefined) await writeFile(file, yaml)
    return await loadConfig({
      env: {},
      ...rest,
      flags: { 'auth.anonymous': true, ...flags },
      ...(yaml === undefined ? {} : { file }),
    })
  }

  const faultsOf = async (sources: Partial<ConfigSources> & { yaml?: string }, code = 'CONFIG_INVALID') => {
    try {
      await load(sources)
    } catch (error) {
      assert.ok(error instanceof GrapevineError, String(error))
      assert.equal(error.code, code)
      return error.message
        .split('\n')
        .slice(1)
        .map(line => line.trim())
    }
    return assert.fail('it was accepted')
  }

  it('has the documented defaults', async () => {
    const { config, origins } = await load({})
    assert.equal(config.mqtt.port, 1883)
    assert.equal(config.mesh.port, 7883)
    assert.deepEqual([config.admin.host, config.admin.port], ['127.0.0.1', 8080])
    assert.equal(config.coordination.store, 'embedded')
    assert.equal(origins.get('mqtt.port'), 'default')
  })

  it('lets a flag win over a variable over the file over a preset over the default, and says which', async () => {
    const { config, origins } = await load({
      yaml: 'mqtt:\n  port: 1\n  receiveMax: 1\n  keepAliveMax: 1\n',
      env: { GRAPEVINE_MQTT__PORT: '2', GRAPEVINE_MQTT__RECEIVE_MAX: '2' },
      flags: { 'mqtt.port': '3' },
      presets: { 'mqtt.port': 4, 'mqtt.receiveMax': 4, 'mqtt.keepAliveMax': 4, 'mqtt.topicLevelsMax': 4 },
    })
    assert.deepEqual(
      [config.mqtt.port, config.mqtt.receiveMax, config.mqtt.keepAliveMax, config.mqtt.topicLevelsMax],
      [3, 2, 1, 4],
    )
    assert.equal(origins.get('mqtt.port'), 'flag --mqtt.port')
    assert.equal(origins.get('mqtt.receiveMax'), 'variable GRAPEVINE_MQTT__RECEIVE_MAX')
    assert.equal(origins.get('mqtt.keepAliveMax'), `file ${file} line 4`)
    assert.equal(origins.get('mqtt.topicLevelsMax'), 'default of this command')
  })

  it('reads numbers, booleans and lists from texts', async () => {
    const { config } = await load({
      env: {
        GRAPEVINE_COORDINATION__ETCD__ENDPOINTS: 'http://a:2379, http://b:2379',
        GRAPEVINE_MQTT__KEEP_ALIVE_MAX: '60',
        GRAPEVINE_AUTH__ANONYMOUS: 'true',
      },
    })
    assert.deepEqual(config.coordination.etcd.endpoints, ['http://a:2379', 'http://b:2379'])
    assert.equal(config.mqtt.keepAliveMax, 60)
    assert.equal(config.auth.anonymous, true)
  })

  it('takes an empty file and sections without keys', async () => {
    await load({ yaml: '' })
    await load({ yaml: 'mqtt:\n#  port: 1\nlog:\n' })
  })

  it('reports unknown keys, wrong types, unknown variables and cross-field faults together, each with path and source', async () => {
    const faults = await faultsOf({
      yaml: 'mqtt:\n  prot: 1\n  port: abc\nmesh: 5\nnope:\n  a: 1\nstorage:\n  sync: sometimes\n',
      env: { GRAPEVINE_MQTT__KEEP_ALIVE: '1', GRAPEVINE_LOG__LEVEL: 'loud' },
      flags: { 'coordination.leaseTtlMs': '4000', 'queues.sessionMessagesMax': '1.5' },
    })
    const expected = [
      /^mqtt\.prot \(file .* line 2\): unknown key/,
      /^mesh \(file .* line 4\): expected a mapping/,
      /^nope \(file .* line 5\): unknown key/,
      /^mqtt\.port \(file .* line 3\): expected number.*"abc"/,
      /^queues\.sessionMessagesMax \(flag --queues\.sessionMessagesMax\): expected int.*1\.5/,
      /^storage\.sync \(file .* line 8\): expected one of.*"sometimes"/,
      /^log\.level \(variable GRAPEVINE_LOG__LEVEL\): expected one of.*"loud"/,
      /^GRAPEVINE_MQTT__KEEP_ALIVE \(variable\): unknown/,
      /^coordination\.leaseTtlMs \(flag --coordination\.leaseTtlMs\): .* 6500/,
    ]
    assert.equal(faults.length, expected.length, faults.join('\n'))
    expected.forEach((pattern, index) => assert.match(faults[index] ?? '', pattern))
  })

  it('reports a mistake in the file also where a flag overrides it', async () => {
    const [fault] = await faultsOf({ yaml: 'mqtt: { port: abc }\n', flags: { 'mqtt.port': '1' } })
    assert.match(fault ?? '', /^mqtt\.port \(file/)
  })

  it('refuses a key without a value, and one with a nested mapping', async () => {
    assert.match((await faultsOf({ yaml: 'mqtt:\n  port:\n' })).join(), /mqtt\.port .*null/)
    assert.match((await faultsOf({ yaml: 'mqtt:\n  port: { x: 1 }\n' })).join(), /mqtt\.port/)
  })

  it('takes dangerous names for what they are', async () => {
    const faults = await faultsOf({ yaml: '__proto__:\n  port: 1\nmqtt:\n  constructor: 1\n' })
    assert.deepEqual(
      faults.map(fault => fault.split(' ')[0]),
      ['__proto__', 'mqtt.constructor'],
    )
  })

  it('refuses two listeners on one port, unless it is 0 or the hosts differ', async () => {
    assert.match((await faultsOf({ flags: { 'mesh.port': '1883' } })).join(), /^mesh\.port .*mqtt\.port/)
    assert.match((await faultsOf({ flags: { 'admin.port': '7883' } })).join(), /^admin\.port .*mesh\.port/)
    await load({ flags: { 'mqtt.port': '0', 'mesh.port': '0', 'admin.port': '0' } })
    await load({ flags: { 'mqtt.host': '127.0.0.2', 'mesh.host': '127.0.0.3', 'mesh.port': '1883' } })
  })

  it('wants a token where the admin interface can be reached by others, and never shows it', async () => {
    assert.match(
      (await faultsOf({ flags: { 'admin.host': '0.0.0.0' } })).join(),
      /^admin\.token .*0\.0\.0\.0/,
    )
    await load({ flags: { 'admin.host': '0.0.0.0', 'admin.token': '0123456789abcdef' } })
    await load({ flags: { 'admin.host': '::1' } })
    const faults = await faultsOf({ flags: { 'admin.host': '0.0.0.0', 'admin.token': 'hunter2' } })
    assert.equal(faults.length, 1)
    assert.doesNotMatch(faults.join(), /hunter2/)
  })

  it('wants auth.anonymous to be set, and says why', async () => {
    assert.match(
      (await faultsOf({ flags: { 'auth.anonymous': undefined } })).join(),
      /^auth\.anonymous .*auth\.anonymous to true/,
    )
  })

  it('ignores what Kubernetes sets for a service named grapevine', async () => {
    await load({
      env: {
        GRAPEVINE_SERVICE_HOST: '10.0.0.1',
        GRAPEVINE_SERVICE_PORT_MQTT: '1883',
        GRAPEVINE_PORT: 'tcp://10.0.0.1:1883',
        GRAPEVINE_PORT_1883_TCP_ADDR: '10.0.0.1',
      },
    })
  })

  it('says the line of a syntax error and of a duplicate key', async () => {
    const faults = await faultsOf({ yaml: 'mqtt:\n  port: [1\nmesh:\n' }, 'CONFIG_FILE_UNREADABLE')
    assert.match(faults.join(), /line [234]/)
    const duplicate = await faultsOf(
      { yaml: 'log:\n  level: info\n  level: warn\n' },
      'CONFIG_FILE_UNREADABLE',
    )
    assert.match(duplicate.join(), /line 3.*unique/)
  })

  it('says that a file is missing', async () => {
    await assert.rejects(loadConfig({ file: join(directory, 'none.yaml'), env: {}, flags: {} }), {
      code: 'CONFIG_FILE_UNREADABLE',
      message: /no such file/,
    })
  })
})

describe('configKeys', () => {
  it('describes every key', () => {
    assert.deepEqual(
      configKeys().filter(({ description }) => description === ''),
      [],
    )
  })

  it('names variables after sections and words', () => {
    const variables = new Map(configKeys().map(key => [key.path, key.variable]))
    assert.equal(variables.get('mqtt.keepAliveMax'), 'GRAPEVINE_MQTT__KEEP_ALIVE_MAX')
    assert.equal(variables.get('coordination.etcd.timeoutMs'), 'GRAPEVINE_COORDINATION__ETCD__TIMEOUT_MS')
  })
})
