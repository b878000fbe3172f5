import assert from 'node:assert/strict'
import { createAdminServer, type AdminServer } from '../../src/admin/admin-server.ts'
import type { ModeStatusView } from '../../src/admin/mode-schemas.ts'
import type { ModeStatus, PastSwitch, SwitchStatus } from '../../src/core/ports/subscription-mode.ts'
import { FakeControl, FakeNode, FakeRouting, FakeTracing } from '../admin/fake-node.ts'
import { silentLogger } from '../support/silent-logger.ts'
import { runCli } from './run-cli.ts'

const underWay: SwitchStatus = {
  from: 'gossip',
  to: 'etcd',
  phase: 'compare',
  startedAtMs: 1000,
  phaseAtMs: 2000,
  requestedBy: 'node-1',
  done: ['node-0'],
  members: ['node-0', 'node-1'],
}
const switched: PastSwitch = {
  epoch: 7,
  from: 'gossip',
  to: 'etcd',
  outcome: 'switched',
  reason: undefined,
  startedAtMs: 1000,
  endedAtMs: 3500,
}
const abortedSwitch: PastSwitch = { ...switched, outcome: 'aborted', reason: 'node-1 left during compare' }

/** Tells one status after the other, the last one again and again. */
class SteppingControl extends FakeControl {
  statuses: ModeStatus[] = []

  override mode(): ModeStatus {
    return (this.statuses.length > 1 ? this.statuses.shift() : this.statuses[0]) ?? super.mode()
  }
}

describe('grapevine mode', () => {
  let control: SteppingControl
  let server: AdminServer

  beforeEach(async () => {
    control = new SteppingControl()
    server = await createAdminServer({
      host: '127.0.0.1',
      port: 0,
      source: new FakeNode(),
      control,
      routing: new FakeRouting(),
      tracing: new FakeTracing(),
      logger: silentLogger,
    })
  })

  afterEach(() => server.close())

  const mode = (...args: string[]): ReturnType<typeof runCli> =>
    runCli(['mode', ...args, '--admin', server.url])
  const idle = (last: PastSwitch | undefined, mode: 'gossip' | 'etcd' = 'gossip'): ModeStatus => ({
    mode,
    epoch: last?.epoch ?? 1,
    current: undefined,
    last,
  })
  const running: ModeStatus = { mode: 'gossip', epoch: 6, current: underWay, last: undefined }

  it('get: shows the mode, a switch under way with who has done the phase, and the last one', async () => {
    control.statuses = [{ ...running, last: abortedSwitch }]
    assert.equal(
      (await mode('get')).stdout,
      'mode gossip (epoch 6)\n' +
        'switching gossip → etcd, compare: 1 of 2 members done, not yet node-1\n' +
        'last switch: gossip → etcd aborted after 2.5 s, 1970-01-01 00:00:03 UTC: node-1 left during compare\n',
    )
    const { stdout } = await mode('--json')
    const status = JSON.parse(stdout) as ModeStatusView
    assert.deepEqual(status.switch, underWay)
    assert.equal(status.last?.reason, 'node-1 left during compare')
  })

  it('set: returns 0 when the cluster has switched', async () => {
    control.modeAnswer = { isAccepted: true, isChange: true, epoch: 4 }
    control.statuses = [idle({ ...abortedSwitch, epoch: 3 }), running, running, idle(switched, 'etcd')]
    const { code, stdout } = await mode('set', 'etcd')
    assert.equal(code, 0)
    assert.equal(stdout, 'gossip → etcd switched after 2.5 s, 1970-01-01 00:00:03 UTC\n')
    assert.deepEqual(control.modes, ['etcd'])
  })

  it('set: returns 1 and says why when it was aborted', async () => {
    control.modeAnswer = { isAccepted: true, isChange: true, epoch: 4 }
    control.statuses = [running, idle(abortedSwitch)]
    const { code, stdout } = await mode('set', 'etcd', '--json')
    assert.equal(code, 1)
    assert.equal((JSON.parse(stdout) as ModeStatusView).last?.outcome, 'aborted')
  })

  it('set: is done at once when the cluster has the mode already', async () => {
    control.modeAnswer = { isAccepted: true, isChange: false, epoch: 1 }
    const { code, stdout } = await mode('set', 'gossip')
    assert.equal(code, 0)
    assert.equal(stdout, 'the mode is gossip already\n')
  })

  it('set: returns 1 with what to do when the switch is refused', async () => {
    control.modeAnswer = { isAccepted: false, refusal: 'quota', detail: '9 bytes too many' }
    const { code, stdout, stderr } = await mode('set', 'etcd')
    assert.equal(code, 1)
    assert.equal(stdout, '')
    assert.match(stderr, /MODE_REFUSED: 9 bytes too many; raise the quota of the coordination store/)
  })

  it('returns 2 for what is no command', async () => {
    for (const args of [['set'], ['set', 'pigeon'], ['get', 'etcd'], ['drop']]) {
      const { code, stderr } = await mode(...args)
      assert.equal(code, 2)
      assert.match(stderr, /say "mode get", "mode set gossip" or "mode set etcd"/)
    }
  })

  it('the interface refuses other modes with 400', async () => {
    const response = await fetch(`${server.url}/api/v1/mode`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"mode":"pigeon"}',
    })
    assert.equal(response.status, 400)
    assert.deepEqual(control.modes, [])
  })
})
