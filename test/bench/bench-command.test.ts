import assert from 'node:assert/strict'
import { listScenarios, planBench, type BenchArguments } from '../../bench/bench-command.ts'

const given: BenchArguments = {
  ...{ scenarios: [], seconds: '3', repeat: '3', against: 'mosquitto,aedes', mqtt: '3.1.1' },
  ...{ json: undefined, html: undefined, command: 'grapevine bench' },
}

function mistakeOf(changes: Partial<BenchArguments>): string {
  const plan = planBench({ ...given, ...changes })
  return 'mistake' in plan ? plan.mistake : ''
}

describe('planBench', () => {
  it('runs every scenario when none is named', () => {
    const plan = planBench(given)
    assert(!('mistake' in plan))
    assert.equal(plan.scenarios.length, listScenarios().split('\n').length)
    assert.deepEqual(
      plan.peers.map(({ name }) => name),
      ['mosquitto', 'aedes'],
    )
  })

  it('takes the named scenarios and peers', () => {
    const plan = planBench({ ...given, scenarios: ['qos2', 'fan-out'], against: 'aedes', mqtt: '5.0' })
    assert(!('mistake' in plan))
    assert.deepEqual(
      plan.scenarios.map(({ id }) => id),
      ['fan-out', 'qos2'],
    )
    assert.deepEqual(
      plan.peers.map(({ name }) => name),
      ['aedes'],
    )
    assert.equal(plan.version, 5)
  })

  it('runs a group by its name', () => {
    const plan = planBench({ ...given, scenarios: ['mesh'] })
    assert(!('mistake' in plan))
    const ids = plan.scenarios.map(({ id }) => id)
    assert(ids.includes('mesh-forward') && ids.includes('mesh-spread'), ids.join())
    assert(ids.includes('mesh-match') && ids.includes('mesh-remote-match'), ids.join())
    assert(ids.includes('mesh-remote-changes'), ids.join())
    assert(ids.every(id => id.startsWith('mesh-')))
  })

  it('explains what it cannot run', () => {
    assert.match(mistakeOf({ scenarios: ['fan-sideways'] }), /no scenario fan-sideways; .*--list/)
    assert.match(mistakeOf({ against: 'emqx' }), /--against emqx: .*mosquitto, aedes/)
    assert.match(mistakeOf({ seconds: 'long' }), /--seconds/)
    assert.match(mistakeOf({ repeat: '1.5' }), /--repeat/)
    assert.match(mistakeOf({ mqtt: '4' }), /--mqtt/)
  })
})
