import assert from 'node:assert/strict'
import { runCli } from './run-cli.ts'

describe('grapevine sim calibrate', () => {
  it('says what to install, or to leave out, where there is no etcd', async () => {
    const { code, stdout, stderr } = await runCli(['sim', 'calibrate'], { PATH: '/nonexistent' })
    assert.equal(code, 1)
    assert.equal(stdout, '')
    assert.match(
      stderr,
      /ETCD_NOT_FOUND: .* install etcd; on Debian or Ubuntu: apt-get install etcd-server; .*--skip etcd/,
    )
  })

  it('refuses a number of repetitions that is none', async () => {
    const { code, stderr } = await runCli(['sim', 'calibrate', '--repeat', '0'])
    assert.equal(code, 2)
    assert.match(stderr, /repeat: expected a whole number from 1 to 100, got 0/)
  })

  it('refuses to measure a part it does not know, and parts beside what is skipped', async () => {
    const { code, stderr } = await runCli(['sim', 'calibrate', '--only', 'gossip,rumour'])
    assert.equal(code, 2)
    assert.match(
      stderr,
      /only: there is no part rumour; there are gossip, structures, etcd, traffic, clients/,
    )
    const both = await runCli(['sim', 'calibrate', '--only', 'gossip', '--skip', 'etcd'])
    assert.equal(both.code, 2)
  })

  it('refuses to skip what it does not know', async () => {
    const { code, stderr } = await runCli(['sim', 'calibrate', '--skip', 'gossip'])
    assert.equal(code, 2)
    assert.match(stderr, /skip/)
  })
})
