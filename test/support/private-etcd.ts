import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** An etcd of the test's own, on free loopback ports, in a temporary directory. */
export interface PrivateEtcd {
  /** Client URL. */
  readonly url: string
  /** Kills the server as `kill -9` does and waits until it is gone. */
  kill(): Promise<void>
  /** Starts it again, same ports and data, and waits until it serves. */
  restart(): Promise<void>
  /** Freezes the process; resolves once it stands still. */
  pause(): Promise<void>
  resume(): void
  /** Kills it and removes its data. Idempotent. */
  close(): Promise<void>
}

export async function startPrivateEtcd(): Promise<PrivateEtcd> {
  const directory = await mkdtemp(join(tmpdir(), 'grapevine-etcd-'))
  const [clientPort, peerPort] = await freePorts(2)
  const url = `http://127.0.0.1:${clientPort}`
  const peerUrl = `http://127.0.0.1:${peerPort}`
  const options = [
    ['--name', 'test'],
    ['--data-dir', join(directory, 'data')],
    ['--listen-client-urls', url],
    ['--advertise-client-urls', url],
    ['--listen-peer-urls', peerUrl],
    ['--initial-advertise-peer-urls', peerUrl],
    ['--initial-cluster', `test=${peerUrl}`],
    ['--log-level', 'error'],
  ].flat()

  let server: ChildProcess | undefined
  // A test run that ends early must not leave a server behind.
  const killAtExit = (): void => void server?.kill('SIGKILL')
  process.once('exit', killAtExit)

  const start = async (): Promise<void> => {
    server = spawn('etcd', options, {
      stdio: 'ignore',
      env: { ...process.env, ETCD_UNSUPPORTED_ARCH: process.arch },
    })
    let failure: string | undefined
    server.once('error', error => (failure = error.message))
    server.once('exit', code => (failure ??= `it exited with code ${code}`))
    for (let attempt = 0; !(await isHealthy(url)); attempt++) {
      if (failure !== undefined || attempt > 300)
        throw new Error(`etcd did not start: ${failure ?? 'not healthy in time'}`)
      await delay(50)
    }
  }
  const kill = async (): Promise<void> => {
    const dying = server
    server = undefined
    if (dying === undefined || dying.exitCode !== null || dying.signalCode !== null) return
    await new Promise(resolve => {
      dying.once('exit', resolve)
      dying.kill('SIGKILL')
    })
  }
  const close = async (): Promise<void> => {
    process.off('exit', killAtExit)
    await kill()
    await rm(directory, { recursive: true, force: true })
  }

  try {
    await start()
  } catch (error) {
    await close()
    throw error
  }
  return {
    url,
    kill,
    restart: start,
    pause: async () => {
      server?.kill('SIGSTOP')
      while (server !== undefined && !(await isStopped(server))) await delay(5)
    },
    resume: () => void server?.kill('SIGCONT'),
    close,
  }
}

function delay(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}

/** As proc(5) says: the state follows the program's name, which is in parentheses. */
async function isStopped({ pid }: ChildProcess): Promise<boolean> {
  return (await readFile(`/proc/${pid}/stat`, 'utf8')).includes(') T ')
}

async function isHealthy(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(500) })
    return response.ok && (await response.text()).includes('true')
  } catch {
    return false
  }
}

/**
 * Ports that were free a moment ago, all different, below those the system gives to outgoing connections: while the server
 * is down a client that keeps dialling would else be given that very port, connect to itself, and keep the server out.
 */
async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) {
    const port = 12_000 + Math.floor(Math.random() * 20_000)
    if (await isFree(port)) ports.add(port)
  }
  return [...ports]
}

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
