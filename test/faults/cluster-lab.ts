import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { stringify } from 'yaml'
import { NetworkLab } from '../support/network-lab.ts'

const run = promisify(execFile)
const command = fileURLToPath(new URL('../../bin/grapevine.js', import.meta.url))
const doorScript = fileURLToPath(new URL('../support/door.ts', import.meta.url))
const MQTT_PORT = 11_883
const ADMIN_PORT = 18_080
const MESH_PORT = 17_883
const ETCD_PORT = 12_379

/** One broker of the lab: a process on a host of its own, with its data on disk. */
export interface LabNode {
  readonly nodeId: string
  /** Where MQTT clients of the test connect: a Unix socket. */
  readonly mqtt: string
}

interface Running extends LabNode {
  readonly admin: string
  child: ChildProcess | undefined
  readonly output: string[]
}

export interface LabOptions {
  /** Members of etcd, on hosts `etcd`, `etcd1` …; 1 unless given. */
  readonly etcdMembers?: number
  /** Bytes that some nodes have for their data, by node. */
  readonly smallDisks?: Readonly<Record<string, number>>
}

interface EtcdMember {
  readonly host: string
  /** Unix socket that leads to its client port. */
  readonly door: string
  child: ChildProcess | undefined
}

/**
 * A cluster of real broker processes and a real etcd, each on a host of its own of a `NetworkLab`, with the faults of DESIGN
 * section 5 as methods. Waiting is for what `/ready` and `/api` say, never for a time.
 */
export class ClusterLab {
  readonly network: NetworkLab
  readonly #directory: string
  readonly #nodes = new Map<string, Running>()
  readonly #doors: ChildProcess[] = []
  readonly #extra: Readonly<Record<string, object>>
  readonly #etcd: EtcdMember[]
  /** Mounted, to be unmounted. */
  readonly #smallDisks: string[] = []

  private constructor(
    network: NetworkLab,
    directory: string,
    etcdHosts: readonly string[],
    extra: Readonly<Record<string, object>>,
  ) {
    this.network = network
    this.#directory = directory
    this.#extra = extra
    this.#etcd = etcdHosts.map(host => ({ host, door: join(directory, `${host}.door`), child: undefined }))
  }

  /**
   * Nodes `n0` …, all started and ready. `extra`: configuration sections beside those set here.
   */
  static async start(
    nodeCount: number,
    extra: Readonly<Record<string, object>> = {},
    { etcdMembers = 1, smallDisks = {} }: LabOptions = {},
  ): Promise<ClusterLab> {
    const nodeIds = Array.from({ length: nodeCount }, (_, index) => `n${index}`)
    const etcdHosts = Array.from({ length: etcdMembers }, (_, index) =>
      index === 0 ? 'etcd' : `etcd${index}`,
    )
    const network = await NetworkLab.create([...etcdHosts, ...nodeIds])
    const directory = await mkdtemp(join(tmpdir(), 'grapevine-lab-'))
    const lab = new ClusterLab(network, directory, etcdHosts, extra)
    try {
      for (const [nodeId, bytes] of Object.entries(smallDisks)) await lab.#mountDisk(nodeId, bytes)
      for (const { host, door } of lab.#etcd) await lab.#openDoor(host, [door, String(ETCD_PORT)])
      await lab.startEtcd()
      for (const nodeId of nodeIds) await lab.#prepare(nodeId)
      await Promise.all(nodeIds.map(nodeId => lab.startNode(nodeId)))
      return lab
    } catch (error) {
      await lab.close()
      throw error
    }
  }

  node(nodeId: string): LabNode {
    return this.#running(nodeId)
  }

  /** The last lines every node wrote, for a failed test. */
  get output(): string {
    return [...this.#nodes.values()]
      .map(({ nodeId, output }) => `--- ${nodeId}\n${output.join('\n')}`)
      .join('\n')
  }

  /** Starts the process on its data; resolves once it is ready. */
  async startNode(nodeId: string): Promise<void> {
    this.launch(nodeId)
    await this.ready(nodeId)
  }

  launch(nodeId: string): void {
    const node = this.#running(nodeId)
    const child = this.#spawn(nodeId, [
      process.execPath,
      command,
      'start',
      '--config',
      this.#configFile(nodeId),
    ])
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue
      createInterface({ input: stream }).on('line', line => {
        node.output.push(line)
        if (node.output.length > 300) node.output.shift()
      })
    }
    node.child = child
  }

  async ready(nodeId: string): Promise<void> {
    await this.until(`${nodeId} is ready`, async () => (await this.get(nodeId, '/ready')).status === 200)
  }

  /** As `kill -9`. */
  async kill(nodeId: string): Promise<void> {
    await this.#end(nodeId, 'SIGKILL')
  }

  /** SIGTERM; resolves with its exit code. */
  async stop(nodeId: string): Promise<number | null> {
    return this.#end(nodeId, 'SIGTERM')
  }

  /** Resolves with its exit code once it has ended by itself, and the last lines it wrote. */
  async ended(nodeId: string): Promise<{ code: number | null; output: string }> {
    const { child, output } = this.#running(nodeId)
    if (child === undefined) throw new Error(`${nodeId} does not run`)
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    return { code: child.exitCode, output: output.join('\n') }
  }

  pause(nodeId: string): void {
    this.#running(nodeId).child?.kill('SIGSTOP')
  }

  resume(nodeId: string): void {
    this.#running(nodeId).child?.kill('SIGCONT')
  }

  /** Every member that does not run. */
  async startEtcd(): Promise<void> {
    for (const member of this.#etcd) member.child ??= this.#launchEtcd(member.host)
    await Promise.resolve()
  }

  async killEtcd(): Promise<void> {
    await Promise.all(this.#etcd.map(member => this.#killEtcdMember(member)))
  }

  /** Kills etcd and throws its data away. */
  async emptyEtcd(): Promise<void> {
    await this.killEtcd()
    await rm(this.#etcdData('etcd'), { recursive: true, force: true })
  }

  /** Copies what an etcd of one member has, which stands still meanwhile. */
  async backUpEtcd(): Promise<void> {
    await this.killEtcd()
    await cp(this.#etcdData('etcd'), join(this.#directory, 'backup'), { recursive: true })
    await this.startEtcd()
  }

  /** Kills etcd and puts the copy in the place of its data. */
  async restoreEtcd(): Promise<void> {
    await this.emptyEtcd()
    await cp(join(this.#directory, 'backup'), this.#etcdData('etcd'), { recursive: true })
  }

  /** As `kill -9` of the member that leads; answers its host. */
  async killEtcdLeader(): Promise<string> {
    let leader: EtcdMember | undefined
    await this.until('etcd has a leader', async () => {
      for (const member of this.#etcd) {
        const { body } = await getOver(member.door, '/metrics')
        if (body.includes('\netcd_server_is_leader 1')) leader = member
      }
      return leader !== undefined
    })
    if (leader === undefined) throw new Error('no leader')
    await this.#killEtcdMember(leader)
    return leader.host
  }

  /** Takes all that is left of a small disk, but for some bytes; answers how to give it back. */
  async fillDisk(nodeId: string): Promise<() => Promise<void>> {
    const file = join(this.#directory, nodeId, 'filler')
    const handle = await open(file, 'w')
    const block = Buffer.alloc(64 * 1024)
    try {
      for (;;) await handle.write(block)
    } catch {
      // It is full.
    }
    await handle.close()
    return () => rm(file)
  }

  /** A request to the node's admin interface; status 0 when it does not answer. */
  get(nodeId: string, path: string): Promise<{ status: number; body: string }> {
    return getOver(this.#running(nodeId).admin, path)
  }

  /** One number of the node's `/metrics`; undefined when there is none. */
  async metric(nodeId: string, name: string): Promise<number | undefined> {
    const { body } = await this.get(nodeId, '/metrics')
    const line = body.split('\n').find(candidate => candidate.startsWith(`${name} `))
    return line === undefined ? undefined : Number(line.slice(name.length + 1))
  }

  async until(what: string, condition: () => Promise<boolean> | boolean, withinMs = 60_000): Promise<void> {
    const endMs = performance.now() + withinMs
    while (!(await condition())) {
      if (performance.now() >= endMs) throw new Error(`not within ${withinMs} ms: ${what}\n${this.output}`)
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }

  async close(): Promise<void> {
    for (const { child } of this.#nodes.values()) child?.kill('SIGCONT')
    await Promise.all([...this.#nodes.keys()].map(nodeId => this.#end(nodeId, 'SIGKILL')))
    await this.killEtcd()
    await Promise.all(this.#doors.map(child => endChild(child, 'SIGKILL')))
    await this.network.close()
    for (const disk of this.#smallDisks) await run('umount', [disk])
    await rm(this.#directory, { recursive: true, force: true })
  }

  async #prepare(nodeId: string): Promise<void> {
    const mqtt = join(this.#directory, `${nodeId}.mqtt`)
    const admin = join(this.#directory, `${nodeId}.admin`)
    this.#nodes.set(nodeId, { nodeId, mqtt, admin, child: undefined, output: [] })
    const { coordination, ...extra } = this.#extra
    const address = this.network.address(nodeId)
    const config = {
      node: { id: nodeId, cluster: 'lab', dataDir: join(this.#directory, nodeId) },
      mqtt: { host: '127.0.0.1', port: MQTT_PORT },
      mesh: { host: address, port: MESH_PORT },
      coordination: {
        store: 'etcd',
        etcd: { endpoints: this.#etcd.map(({ host }) => this.#etcdUrl(host)) },
        ...coordination,
      },
      admin: { host: '127.0.0.1', port: ADMIN_PORT },
      auth: { anonymous: true },
      log: { level: 'info', format: 'json' },
      ...extra,
    }
    await writeFile(this.#configFile(nodeId), stringify(config))
    await this.#openDoor(nodeId, [mqtt, String(MQTT_PORT), admin, String(ADMIN_PORT)])
  }

  /** `pairs`: a Unix socket here, and the port on the host's loopback it leads to. */
  async #openDoor(host: string, pairs: readonly string[]): Promise<void> {
    const door = this.#spawn(host, [process.execPath, doorScript, ...pairs])
    this.#doors.push(door)
    if (door.stdout !== null) await once(door.stdout, 'data')
  }

  async #mountDisk(nodeId: string, bytes: number): Promise<void> {
    const disk = join(this.#directory, nodeId)
    await mkdir(disk)
    await run('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'none', disk])
    this.#smallDisks.push(disk)
  }

  #etcdUrl(host: string, port = ETCD_PORT): string {
    return `http://${this.network.address(host)}:${port}`
  }

  #etcdData(host: string): string {
    return join(this.#directory, `${host}.data`)
  }

  #launchEtcd(host: string): ChildProcess {
    const peerUrl = this.#etcdUrl(host, ETCD_PORT + 1)
    const members = this.#etcd.map(member => `${member.host}=${this.#etcdUrl(member.host, ETCD_PORT + 1)}`)
    return this.#spawn(host, [
      'etcd',
      ...['--name', host, '--data-dir', this.#etcdData(host), '--log-level', 'error'],
      ...['--listen-client-urls', `${this.#etcdUrl(host)},http://127.0.0.1:${ETCD_PORT}`],
      ...['--advertise-client-urls', this.#etcdUrl(host)],
      ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
      ...['--initial-cluster', members.join(',')],
    ])
  }

  async #killEtcdMember(member: EtcdMember): Promise<void> {
    await endChild(member.child, 'SIGKILL')
    member.child = undefined
  }

  #spawn(host: string, command: readonly string[]): ChildProcess {
    const [program = '', ...args] = [...this.network.enter(host), ...command]
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    // A test run that ends early must leave nothing behind.
    const killAtExit = (): void => void child.kill('SIGKILL')
    process.once('exit', killAtExit)
    child.once('exit', () => process.off('exit', killAtExit))
    return child
  }

  async #end(nodeId: string, signal: NodeJS.Signals): Promise<number | null> {
    const node = this.#running(nodeId)
    const { child } = node
    node.child = undefined
    return endChild(child, signal)
  }

  #configFile(nodeId: string): string {
    return join(this.#directory, `${nodeId}.yaml`)
  }

  #running(nodeId: string): Running {
    const node = this.#nodes.get(nodeId)
    if (node === undefined) throw new Error(`the lab has no node ${nodeId}`)
    return node
  }
}

function getOver(socketPath: string, path: string): Promise<{ status: number; body: string }> {
  return new Promise(resolve => {
    const asked = request({ socketPath, path, timeout: 2000 }, response => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', chunk => (body += String(chunk)))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
      response.on('error', () => resolve({ status: 0, body }))
    })
    asked.on('timeout', () => asked.destroy())
    asked.on('error', () => resolve({ status: 0, body: '' }))
    asked.end()
  })
}

async function endChild(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<number | null> {
  if (child === undefined) return null
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }
  return child.exitCode
}
