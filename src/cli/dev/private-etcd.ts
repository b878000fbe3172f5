import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GrapevineError } from '../../core/errors.ts'
import type { Clock } from '../../core/ports/clock.ts'
import type { Logger } from '../../core/ports/logger.ts'
import { describeExit } from './describe-exit.ts'
import type { ToEtcdGuard } from './etcd-guard.ts'
import { findOnPath } from './find-on-path.ts'
import { findFreePort } from './port-check.ts'
import { SupervisedProcess, type ProcessHandle } from './supervised-process.ts'

/** An etcd of this mesh's own. */
export interface PrivateEtcd {
  /** Client URL. */
  readonly url: string
  /** Resolves when it answers; rejects when it does not in time, or was stopped before. */
  readonly healthy: Promise<void>
  stop(): Promise<void>
}

const HEALTHY_WITHIN_MS = 30_000
const HEALTH_CHECK_INTERVAL_MS = 50
const STOP_GRACE_MS = 8000

/**
 * Starts etcd from PATH on free loopback ports with its data in `root/etcd` and its log in `root/etcd.log`, and again
 * when it dies. Throws ETCD_NOT_FOUND.
 */
export async function startPrivateEtcd(root: string, clock: Clock, logger: Logger): Promise<PrivateEtcd> {
  const program = findOnPath('etcd')
  if (program === undefined) {
    throw new GrapevineError(
      'ETCD_NOT_FOUND',
      'there is no etcd on PATH for --coordination etcd; on Debian or Ubuntu: apt-get install etcd-server, elsewhere see ' +
        'https://etcd.io/docs/latest/install, or use one that runs with --etcd URL',
    )
  }
  const url = `http://127.0.0.1:${await findFreePort()}`
  const args = etcdArguments(join(root, 'etcd'), url)
  const logFile = join(root, 'etcd.log')
  const supervisor = new SupervisedProcess(clock, () => spawnGuarded(program, args, logFile), {
    onDied: (how, _pid, restartInMs) =>
      logger.warn('the private etcd ended; starting it again', { how, restartInMs, log: logFile }),
  })
  supervisor.run()
  let isStopping = false
  return {
    url,
    healthy: waitUntilHealthy(url, clock, logFile, () => isStopping),
    stop: async () => {
      isStopping = true
      await supervisor.stop(STOP_GRACE_MS)
    },
  }
}

function etcdArguments(dataDir: string, clientUrl: string): string[] {
  // A cluster of one dials no peer: any free port will do, and it need not be known.
  const peerUrl = 'http://127.0.0.1:0'
  return [
    ['--name', 'grapevine-dev'],
    ['--data-dir', dataDir],
    ['--listen-client-urls', clientUrl],
    ['--advertise-client-urls', clientUrl],
    ['--listen-peer-urls', peerUrl],
    ['--initial-advertise-peer-urls', peerUrl],
    ['--initial-cluster', `grapevine-dev=${peerUrl}`],
    ['--logger', 'zap'],
    ['--log-level', 'warn'],
  ].flat()
}

/** The guard is in a group of its own, away from Ctrl-C, and ends etcd when this process is gone. */
function spawnGuarded(program: string, args: readonly string[], logFile: string): ProcessHandle {
  const log = openSync(logFile, 'w')
  const guard = spawn(process.execPath, [process.argv[1] ?? '', 'dev-etcd-guard'], {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
    env: { ...process.env, ETCD_UNSUPPORTED_ARCH: process.arch },
  })
  closeSync(log)
  guard.send({ program, args } satisfies ToEtcdGuard, () => {})
  return {
    pid: guard.pid,
    requestStop: () => {
      if (guard.connected) guard.send({ type: 'stop' }, () => {})
    },
    kill: () => {
      guard.kill('SIGKILL')
    },
    onExit: listener => {
      let isGone = false
      const once = (how: string): void => {
        if (isGone) return
        isGone = true
        listener(how)
      }
      guard.once('error', error => once(`could not be started (${error.message})`))
      guard.once('exit', (code, signal) => {
        once(describeExit(code, signal))
      })
    },
  }
}

async function waitUntilHealthy(
  url: string,
  clock: Clock,
  logFile: string,
  isStopping: () => boolean,
): Promise<void> {
  const deadline = clock.now() + HEALTHY_WITHIN_MS
  while (!(await isHealthy(url))) {
    if (isStopping()) throw new Error('the private etcd was stopped before it answered')
    if (clock.now() > deadline) {
      const lastLine = (await readFile(logFile, 'utf8').catch(() => '')).trimEnd().split('\n').at(-1) ?? ''
      throw new GrapevineError(
        'ETCD_UNREACHABLE',
        `the private etcd did not answer in ${HEALTHY_WITHIN_MS / 1000} s; see ${logFile}${lastLine === '' ? '' : `, which ends with: ${lastLine}`}`,
      )
    }
    await new Promise<void>(resolve => clock.schedule(HEALTH_CHECK_INTERVAL_MS, resolve))
  }
}

async function isHealthy(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(1000) })
    const answer = (await response.json()) as { health?: unknown }
    return answer.health === 'true' || answer.health === true
  } catch {
    return false
  }
}
