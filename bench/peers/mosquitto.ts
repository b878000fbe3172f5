import { spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BrokerPeer } from './broker-peer.ts'
import { freePorts } from './free-ports.ts'
import { launch } from './launch.ts'

/** Debian puts daemons into a directory that is on root's PATH only. */
const daemonPath = '/usr/sbin/mosquitto'
const command = existsSync(daemonPath) ? daemonPath : 'mosquitto'

/** Eclipse Mosquitto from PATH. */
export const mosquitto: BrokerPeer = {
  name: 'mosquitto',
  settings:
    'persistence off, no queue limit, 1000 in flight, set_tcp_nodelay in latency scenarios; otherwise as shipped',

  check() {
    // `mosquitto -h` exits with 3 and prints its version first.
    const { error, stdout } = spawnSync(command, ['-h'], { encoding: 'utf8' })
    const version = /mosquitto version (\S+)/.exec(error === undefined ? stdout : '')?.[1]
    if (version !== undefined) return { version }
    return { missing: 'mosquitto is not installed; apt-get install mosquitto (or your system’s package)' }
  },

  async start({ core, directory, signal, tuneFor }) {
    const [port = 0] = await freePorts(1)
    const file = join(directory, 'mosquitto.conf')
    const lines = [
      `listener ${port} 127.0.0.1`,
      'allow_anonymous true',
      'persistence false',
      'max_queued_messages 0',
      'max_inflight_messages 1000',
      'log_type error',
      // Nagle's algorithm raises its throughput by a quarter and its p99 latency to milliseconds.
      `set_tcp_nodelay ${tuneFor === 'latency'}`,
    ]
    writeFileSync(file, `${lines.join('\n')}\n`)
    return await launch({ name: 'mosquitto', command, args: ['-c', file], core, port, signal })
  },
}
