import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** How processes of one host of a lab are started: prepend this to their command line. */
export type EnterHost = readonly string[]

/**
 * Hosts on a switch of their own, made of network namespaces, whose links a test can cut, one way or both.
 *
 * Nothing leaves it, and nothing comes in: processes inside are reached over the file system (see `door.ts`). Needs root and
 * `ip` of iproute2; `whyNot` says what is missing.
 */
export class NetworkLab {
  readonly #prefix: string
  readonly #hosts = new Map<string, string>()

  private constructor(prefix: string) {
    this.#prefix = prefix
  }

  /** Undefined when labs can be made here, else the reason in words. */
  static async whyNot(): Promise<string | undefined> {
    const name = `gvprobe${process.pid}`
    try {
      await run('ip', ['netns', 'add', name])
      await run('ip', ['netns', 'del', name])
      return undefined
    } catch (error) {
      return `network namespaces cannot be made here (they need root and iproute2): ${String(error).split('\n')[0]}`
    }
  }

  static async create(hosts: readonly string[]): Promise<NetworkLab> {
    const lab = new NetworkLab(
      `gv${process.pid.toString(36)}${Math.floor(Math.random() * 1296).toString(36)}`,
    )
    try {
      await lab.#build(hosts)
      return lab
    } catch (error) {
      await lab.close()
      throw error
    }
  }

  /** Its address inside the lab. */
  address(host: string): string {
    const address = this.#hosts.get(host)
    if (address === undefined) throw new Error(`the lab has no host ${host}`)
    return address
  }

  enter(host: string): EnterHost {
    this.address(host)
    return ['ip', 'netns', 'exec', this.#namespace(host)]
  }

  /** What `from` sends to `to` vanishes, without an error to either. */
  async cutOneWay(from: string, to: string): Promise<void> {
    // Sent to a hardware address that nobody has.
    const nobody = '02:00:00:00:00:01'
    const entry = [this.address(to), 'lladdr', nobody, 'dev', 'eth0', 'nud', 'permanent']
    await this.#in(from, ['ip', 'neigh', 'replace', ...entry])
  }

  async cut(a: string, b: string): Promise<void> {
    await this.cutOneWay(a, b)
    await this.cutOneWay(b, a)
  }

  /** What the host sends leaves at this pace at most, as over a slow line; undefined: as fast as it can. */
  async slow(host: string, kilobitsPerSecond: number | undefined): Promise<void> {
    const change =
      kilobitsPerSecond === undefined
        ? ['del', 'dev', 'eth0', 'root']
        : [
            'replace',
            'dev',
            'eth0',
            'root',
            'tbf',
            'rate',
            `${kilobitsPerSecond}kbit`,
            'burst',
            '16kb',
            'limit',
            '256kb',
          ]
    await this.#in(host, ['tc', 'qdisc', ...change])
  }

  /** Ends every cut between the two. */
  async heal(a: string, b: string): Promise<void> {
    await this.#in(a, ['ip', 'neigh', 'flush', 'to', this.address(b), 'dev', 'eth0', 'nud', 'permanent'])
    await this.#in(b, ['ip', 'neigh', 'flush', 'to', this.address(a), 'dev', 'eth0', 'nud', 'permanent'])
  }

  async close(): Promise<void> {
    for (const host of ['hub', ...this.#hosts.keys()]) {
      await run('ip', ['netns', 'del', this.#namespace(host)]).catch(() => {
        // Never made, or gone.
      })
    }
  }

  async #build(hosts: readonly string[]): Promise<void> {
    const hub = this.#namespace('hub')
    await run('ip', ['netns', 'add', hub])
    await this.#in('hub', ['ip', 'link', 'add', 'switch', 'type', 'bridge'])
    await this.#in('hub', ['ip', 'link', 'set', 'switch', 'up'])
    for (const [index, host] of hosts.entries()) {
      const address = `10.77.0.${index + 1}`
      this.#hosts.set(host, address)
      const namespace = this.#namespace(host)
      await run('ip', ['netns', 'add', namespace])
      await this.#in('hub', [
        'ip',
        'link',
        'add',
        `p${index}`,
        'type',
        'veth',
        'peer',
        'eth0',
        'netns',
        namespace,
      ])
      await this.#in('hub', ['ip', 'link', 'set', `p${index}`, 'master', 'switch', 'up'])
      await this.#in(host, ['ip', 'addr', 'add', `${address}/24`, 'dev', 'eth0'])
      await this.#in(host, ['ip', 'link', 'set', 'eth0', 'up'])
      await this.#in(host, ['ip', 'link', 'set', 'lo', 'up'])
    }
  }

  #namespace(host: string): string {
    return `${this.#prefix}-${host}`
  }

  async #in(host: string, command: readonly string[]): Promise<void> {
    await run('ip', ['netns', 'exec', this.#namespace(host), ...command])
  }
}
