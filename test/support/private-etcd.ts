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

/** What a test may want otherwise. */
export interface PrivateEtcdOptions {
  /** PEM files: clients are asked for a certificate of that authority. */
  readonly tls?: { readonly caFile: string; readonly certFile: string; readonly keyFile: string }
  /** More flags of etcd. */
  readonly flags?: readonly string[]
}

/** Several members of one etcd cluster. */
export interface PrivateEtcdCluster {
  readonly members: readonly PrivateEtcd[]
  readonly urls: readonly string[]
  close(): Promise<void>
}

export async function startPrivateEtcd(options: PrivateEtcdOptions = {}): Promise<PrivateEtcd> {
  const [ports] = await memberPorts(1)
  return startMember('test', ports as MemberPorts, `test=${peerUrlOf(ports as MemberPorts)}`, options)
}

/** Resolves when all members serve. */
export async function startPrivateEtcdCluster(size: number): Promise<PrivateEtcdCluster> {
  const all = await memberPorts(size)
  const initialCluster = all.map((ports, i) => `m${i}=${peerUrlOf(ports)}`).join(',')
  // A lone member would elect itself anew each time a slow machine holds it up for a second.
  const options = { flags: ['--heartbeat-interval', '100', '--election-timeout', '1000'] }
  const starting = all.map((ports, i) => startMember(`m${i}`, ports, initialCluster, options))
  const started = await Promise.allSettled(starting)
  const members = started.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
  const close = async (): Promise<void> => {
    await Promise.all(members.map(member => member.close()))
  }
  const failed = started.find(result => result.status === 'rejected')
  if (failed !== undefined) {
    await close()
    throw failed.reason
  }
  return { members, urls: members.map(member => member.url), close }
}

interface MemberPorts {
  readonly client: number
  readonly peer: number
  readonly health: number
}

async function memberPorts(count: number): Promise<MemberPorts[]> {
  const ports = await freePorts(count * 3)
  return Array.from({ length: count }, (_, i) => {
    const [client, peer, health] = ports.slice(i * 3, i * 3 + 3) as [number, number, number]
    return { client, peer, health }
  })
}

function peerUrlOf({ peer }: MemberPorts): string {
  return `http://127.0.0.1:${peer}`
}

async function startMember(
  name: string,
  ports: MemberPorts,
  initialCluster: string,
  { tls, flags = [] }: PrivateEtcdOptions,
): Promise<PrivateEtcd> {
  const directory = await mkdtemp(join(tmpdir(), 'grapevine-etcd-'))
  const url = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${ports.client}`
  const peerUrl = peerUrlOf(ports)
  // Beside the client port, which may speak TLS.
  const healthUrl = `http://127.0.0.1:${ports.health}`
  const options = [
    ['--name', name],
    ['--data-dir', join(directory, 'data')],
    ['--listen-client-urls', url],
    ['--advertise-client-urls', url],
    ['--listen-metrics-urls', healthUrl],
    ['--listen-peer-urls', peerUrl],
    ['--initial-advertise-peer-urls', peerUrl],
    ['--initial-cluster', initialCluster],
    ['--log-level', 'error'],
    tls === undefined
      ? []
      : [
          '--cert-file',
          tls.certFile,
          '--key-file',
          tls.keyFile,
          '--trusted-ca-file',
          tls.caFile,
          '--client-cert-auth',
        ],
    flags,
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
    for (let attempt = 0; !(await isHealthy(healthUrl)); attempt++) {
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
