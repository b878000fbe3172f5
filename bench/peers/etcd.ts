import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import type { BrokerPeer } from './broker-peer.ts'
import { freePorts } from './free-ports.ts'
import { launch } from './launch.ts'

/** Not a broker: one etcd with the settings it is shipped with, on free loopback ports. */
export const etcd: BrokerPeer = {
  name: 'etcd',
  settings: 'one member, as shipped: every write is on disk before it is answered',

  check() {
    const { status, stdout } = spawnSync('etcd', ['--version'], { encoding: 'utf8', env: etcdEnvironment() })
    const [, version] = /etcd Version: (\S+)/.exec(stdout ?? '') ?? []
    if (status === 0 && version !== undefined) return { version }
    return { missing: 'etcd; on Debian or Ubuntu: apt-get install etcd-server' }
  },

  async start({ core, directory, signal }) {
    const [port = 0, peerPort = 0] = await freePorts(2)
    const url = `http://127.0.0.1:${port}`
    const peerUrl = `http://127.0.0.1:${peerPort}`
    const args = [
      ['--name', 'bench'],
      ['--data-dir', join(directory, 'etcd')],
      ['--listen-client-urls', url],
      ['--advertise-client-urls', url],
      ['--listen-peer-urls', peerUrl],
      ['--initial-advertise-peer-urls', peerUrl],
      ['--initial-cluster', `bench=${peerUrl}`],
      ['--log-level', 'error'],
    ].flat()
    // taskset and etcd alike take over the environment.
    const command = 'env'
    const withEnvironment = [`ETCD_UNSUPPORTED_ARCH=${process.arch}`, 'etcd', ...args]
    const isReady = async (): Promise<boolean> => await isHealthy(url)
    return await launch({ name: 'etcd', command, args: withEnvironment, core, port, signal, isReady })
  },
}

function etcdEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, ETCD_UNSUPPORTED_ARCH: process.arch }
}

async function isHealthy(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(500) })
    return response.ok && (await response.text()).includes('true')
  } catch {
    return false
  }
}
