import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createAdminServer, type AdminServer } from '../../src/admin/admin-server.ts'
import type { ClusterStatus, MemberStatus } from '../../src/core/ports/node-status.ts'
import type { DrainStatus, SessionDetails, SessionPage } from '../../src/core/ports/node-control.ts'
import {
  census,
  FakeControl,
  FakeNode,
  FakeRouting,
  FakeTracing,
  idle,
  localSession,
} from '../admin/fake-node.ts'
import { silentLogger } from '../support/silent-logger.ts'
import { cleanEnvironment, grapevine, runCli } from './run-cli.ts'

/** A node of the faked cluster, with an admin interface of its own. */
class OperatedNode extends FakeNode {
  readonly nodeId: string
  readonly others: OperatedNode[] = []
  readonly control: SteeredControl
  readonly routing = new FakeRouting()
  server: AdminServer | undefined

  constructor(nodeId: string) {
    super()
    this.nodeId = nodeId
    this.control = new SteeredControl(nodeId)
  }

  get url(): string {
    return this.server?.url ?? ''
  }

  override clusterStatus(): ClusterStatus {
    return {
      ...super.clusterStatus(),
      nodeId: this.nodeId,
      members: [this, ...this.others].map(node => this.#describe(node)),
    }
  }

  #describe({ nodeId, url }: OperatedNode): MemberStatus {
    const self = nodeId === this.nodeId
    return {
      nodeId,
      incarnation: 7,
      state: 'ready',
      leader: nodeId === 'node-1',
      self,
      linkUp: true,
      interestKnown: true,
      filters: 3,
      version: '1.2.3',
      mqttAddress: '127.0.0.1:1',
      adminUrl: url,
      startedAtMs: 0,
      load: self ? { connections: 11, sessions: 22 } : null,
      suspended: false,
      health: self ? null : 'its disk is nearly full',
    }
  }
}

class SteeredControl extends FakeControl {
  readonly nodeId: string
  ownerUrl: string | undefined
  owner = 'node-1'
  held = new Map([['here', localSession('here')]])
  /** What further looks at a drain show; the last one again and again. */
  progress: DrainStatus[] = []
  cancelled = 0

  constructor(nodeId: string) {
    super()
    this.nodeId = nodeId
  }

  override sessions(): SessionPage {
    return { sessions: [...this.held.values()], next: 'page-2' }
  }

  override moreSessions(next: string): SessionPage | undefined {
    return next === 'page-2'
      ? { sessions: [localSession('esc\u001b[31m')], next: 'page-3' }
      : { sessions: [localSession('last')], next: undefined }
  }

  override async session(clientId: string): Promise<SessionDetails> {
    const details = await super.session(clientId)
    if (clientId === 'nobody') return { ...details, owner: undefined }
    const owner = details.owner && { ...details.owner, nodeId: this.owner, adminUrl: this.ownerUrl }
    return { clientId, owner, local: this.held.get(clientId) }
  }

  override drainStatus(): DrainStatus {
    const [first = idle] = this.progress
    if (this.progress.length > 1) this.progress.shift()
    return first
  }

  override cancelDrain(): DrainStatus {
    this.cancelled++
    return idle
  }
}

const draining: DrainStatus = { ...idle, state: 'draining', sinceMs: 1, ratePerSecond: 100 }
const drained: DrainStatus = { ...draining, state: 'drained', clientsAsked: 3, sessionsMoved: 2 }

describe('the operator’s commands', () => {
  let first: OperatedNode
  let second: OperatedNode

  beforeEach(async () => {
    first = new OperatedNode('node-0')
    second = new OperatedNode('node-1')
    first.others.push(second)
    second.others.push(first)
    for (const node of [first, second]) {
      node.server = await createAdminServer({
        host: '127.0.0.1',
        port: 0,
        source: node,
        control: node.control,
        routing: node.routing,
        tracing: new FakeTracing(),
        logger: silentLogger,
      })
    }
    first.control.ownerUrl = second.control.ownerUrl = second.url
  })

  afterEach(async () => {
    for (const { server } of [first, second]) await server?.close()
  })

  /** Runs a command against the first node; it must succeed. */
  const run = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await runCli([...args, '--admin', first.url])
    assert.equal(code, 0, stderr)
    return stdout
  }
  const json = async (...args: string[]): Promise<Record<string, unknown>> =>
    JSON.parse(await run(...args, '--json')) as Record<string, unknown>
  /** Runs a command that must fail with one line on stderr and nothing on stdout. */
  const fault = async (exitCode: number, message: RegExp, ...args: string[]): Promise<void> => {
    const { code, stdout, stderr } = await runCli([...args, '--admin', first.url])
    assert.match(stderr, message)
    assert.equal(code, exitCode)
    assert.equal(stdout, '')
    assert.equal(stderr.trimEnd().split('\n').length, 1, stderr)
  }

  it('nodes forget NODE: gives a node up that is gone, and says why not', async () => {
    assert.match(await run('nodes', 'forget', 'gone'), /^gone is forgotten: /)
    assert.deepEqual(await json('nodes', 'forget', 'gone'), { nodeId: 'node-0', forgotten: 'gone' })
    await fault(1, /that node is a member.*stop it first/, 'nodes', 'forget', 'live')
    await fault(1, /no memory of such a node/, 'nodes', 'forget', 'lvie')
    await fault(2, /say "nodes", or "nodes forget NODE"/, 'nodes', 'forget')
  })

  it('nodes: shows every member with its load', async () => {
    const text = await run('nodes')
    assert.match(text, /^node-0 \* +ready +- +known +3 +11 +22 /m)
    assert.match(text, /^node-1 +ready +leader +up +known +3 +\? +\? /m)
    assert.match(text, /^node-1: its disk is nearly full$/m)
    const { nodes } = (await json('nodes')) as { nodes: MemberStatus[] }
    assert.deepEqual(
      nodes.map(({ nodeId, incarnation }) => [nodeId, incarnation]),
      [
        ['node-0', 7],
        ['node-1', 7],
      ],
    )
  })

  it('leader: shows who led before, and that nobody does', async () => {
    const text = await run('leader')
    assert.match(text, /no node leads/)
    assert.match(text, /^ +node-0 +3 +1970-01-01 00:00:00/m)
    assert.equal((await json('leader'))['leader'], null)
  })

  it('leader: shows the sessions of each node and the size of the store, when asked at the leader', async () => {
    first.control.found = census
    const text = await run('leader')
    assert.match(text, /^ +node-0 +1000000$\n +node-1 +7$/m)
    assert.match(text, /1\.0 MiB in use of 3\.0 MiB on disk; it takes no writes: NOSPACE/)
    assert.match(text, /^node-7 is dead for /m)
  })

  it('sessions: gathers pages up to the limit, and says how to go on', async () => {
    const text = await run('sessions', '--limit', '2')
    assert.match(text, /^here +yes +2 +5 +1 +10m 0s +10\.0\.0\.9:4711$/m)
    assert.match(text, /--next page-3/)
    const { sessions, next } = (await json('sessions')) as { sessions: unknown[]; next: unknown }
    assert.equal(sessions.length, 3)
    assert.equal(next, null)
  })

  it('sessions: writes control characters of client ids out', async () => {
    const text = await run('sessions')
    assert.ok(text.includes('esc\\u{1b}[31m'))
    assert.ok(!text.includes('\u001b'))
  })

  it('sessions ID: asks the owner for what only it knows', async () => {
    second.control.held.set('a/b ü%', localSession('a/b ü%'))
    const found = await json('sessions', 'a/b ü%')
    assert.equal(found['nodeId'], 'node-1')
    assert.equal((found['local'] as { queued: number }).queued, 5)
    const text = await run('sessions', 'a/b ü%')
    assert.match(text, /owner +node-1, incarnation 9/)
    assert.match(text, /how +moved, from node-0/)
    assert.match(text, /queued +5 messages, 1 of them in flight/)
  })

  it('sessions ID: says which node to ask when the owner cannot be reached from here', async () => {
    first.control.ownerUrl = 'http://127.0.0.1:9'
    const text = await run('sessions', '__proto__')
    assert.match(text, /owner +node-1/)
    assert.match(text, /ask node-1: grapevine sessions --admin http:\/\/127\.0\.0\.1:9/)
  })

  it('sessions -- ID: takes a client id that looks like a flag or a number', async () => {
    for (const id of ['--json', '-1', '007']) {
      const { code, stdout } = await runCli(['sessions', '--admin', first.url, '--json', '--', id])
      assert.equal(code, 0)
      assert.equal((JSON.parse(stdout) as { clientId: string }).clientId, id)
    }
  })

  it('sessions ID: ends with 1 when nobody owns it', async () => {
    await fault(1, /SESSION_UNKNOWN: there is no session nobody/, 'sessions', 'nobody')
  })

  it('explain: says who would get a message, why, and what its acknowledgement waits for', async () => {
    const text = await run('explain', 'a/b', '--qos', '2')
    assert.match(text, /^published at node-0 on a\/b, QoS 2/)
    assert.match(text, /^ {2}near +QoS 2 +a\/\+ +No Local: its own message, left out$/m)
    assert.match(text, /^ {2}and 100 more$/m)
    assert.match(
      text,
      /^ {2}node-1: gone, interest as last known, link down, 3 waiting, 2 in its outbox \(512 bytes\)$/m,
    )
    assert.match(text, /^ {4}filter a\/#$/m)
    assert.match(text, /probably a subscription to exactly it \(wrong for 0\.31 % of topics\)/)
    assert.match(text, /\$share\/g\/a\/b: 2 on node-1 \(gone\)\n +next: not decided yet \(drawn\)/)
    assert.match(text, /retained message: 7 bytes, QoS 1$/m)
    assert.match(text, /would wait for\n {2}the outbox$/m)
    const found = await json('explain', 'a/b', '--publisher', 'near')
    assert.equal(found['qos'], 1)
    assert.equal((found['nodes'] as { list: { incarnation: unknown }[] }).list[0]?.incarnation, null)
  })

  it('explain: names the member of a shared subscription on another node, as that one says', async () => {
    const [drawn] = first.routing.groups
    assert.ok(drawn)
    const elsewhere = { ...drawn, chosenNode: 'node-1', because: 'in turn' }
    first.routing.groups = [
      elsewhere,
      { ...elsewhere, filter: 'a/+' },
      { ...elsewhere, chosenNode: 'node-9' },
    ]
    second.routing.groups = [{ ...elsewhere, clientHere: 'far' }]
    const text = await run('explain', 'a/b', '--publisher', 'p')
    assert.match(text, /\$share\/g\/a\/b: 2 on node-1 \(gone\)\n +next: node-1, client far \(in turn\)/)
    assert.match(text, /next: node-1, a member it picks \(in turn\)/)
    assert.match(text, /next: node-9, a member it picks \(in turn\)/)
    assert.deepEqual(second.routing.asked, [{ topic: 'a/b', qos: 1, publisher: 'p' }])
  })

  it('explain, routes: end with 2 and the reason when a topic or filter cannot be', async () => {
    await fault(2, /TOPIC_INVALID: the topic misuses a wildcard/, 'explain', 'a/+')
    await fault(2, /TOPIC_INVALID: the topic has too many levels/, 'explain', 'a/'.repeat(200))
    await fault(2, /TOPIC_INVALID: the topic is empty/, 'explain', '')
    await fault(2, /TOPIC_INVALID: the filter misuses a wildcard/, 'routes', 'a/#/b')
    await fault(2, /which topic\?/, 'explain')
    await fault(2, /too long/, 'explain', 'x'.repeat(20_000))
  })

  it('routes: shows what is known of each node and gathers pages of filters', async () => {
    const text = await run('routes')
    assert.match(text, /^node-1 +known +7 +12 +3 +1299 +2\^15 +8192 +25 % +1300 +0\.0060 %$/m)
    assert.match(text, /^node-1 +c\/\+$/m)
    assert.match(
      await run('routes', '--limit', '1', '--offset', '1'),
      /^node-1 +b\/\+\nthere are 1 more: .*--offset 2/m,
    )
    await fault(1, /NODE_UNKNOWN: nothing is known of a node node-9/, 'routes', '--node', 'node-9')
  })

  it('routes FILTER: says which nodes have it, and how sure that is', async () => {
    assert.match(await run('routes', 'a/b'), /^ {2}node-1 +probable: its bloom filter is wrong for 0\.31 %/m)
    assert.match(await run('routes', 'c/#'), /^no node has c\/#, as node-0 knows it$/m)
  })

  it('trace: shows the way of a message over the nodes in order of time', async () => {
    const { code, stdout, stderr } = await runCli(['trace', 'a/#', '--count', '1', '--admin', first.url])
    assert.equal(code, 0, stderr)
    assert.match(stderr, /following up to 1 messages on a\/# for 10 s/)
    const [title, ...steps] = stdout.trimEnd().split('\n')
    assert.match(title ?? '', /^a\/b {2}QoS 1 {2}from pub {2}1970-01-01T00:00:01\.000Z {2}trace 0af7651916cd/)
    assert.deepEqual(
      steps.map(step => step.trim().replaceAll(/ +/g, ' ')),
      [
        '0.00 ms node-0 published',
        '0.10 ms node-0 delivered to 2 clients: one, two',
        '0.20 ms node-0 routed to node-1',
        '0.25 ms node-0 sent to node-1',
        '1.00 ms node-1 received from node-0',
        '1.50 ms node-1 matched no subscriber here',
        '2.00 ms node-1 still open when the trace ended: receive',
        '2.25 ms node-0 node-1 has accepted it',
        '2.50 ms node-0 acknowledged to the publisher',
      ],
    )
  })

  it('trace: refuses what cannot be followed', async () => {
    await fault(2, /TOPIC_INVALID: the filter misuses a wildcard/, 'trace', 'a/#/b')
    await fault(2, /without \$share/, 'trace', '$share/g/a')
    await fault(2, /--seconds must be a whole number from 1 to 600/, 'trace', 'a', '--seconds', '601')
    await fault(1, /TRACES_TOO_MANY/, 'trace', 'a', '--count', '999')
  })

  it('drain: drains the node that answers, and reports when it is done', async () => {
    first.control.progress = [draining, drained]
    assert.match(
      await run('drain', '--rate', '250'),
      /node-0 is drained: 3 clients asked to go, 2 sessions handed over/,
    )
    assert.deepEqual(first.control.drains, [{ ratePerSecond: 250, isForced: false }])
  })

  it('drain NODE: finds the node through any other', async () => {
    second.control.progress = [drained]
    const status = await json('drain', 'node-1', '--force')
    assert.equal(status['nodeId'], 'node-1')
    assert.equal(status['state'], 'drained')
    assert.deepEqual(first.control.drains, [])
    assert.deepEqual(second.control.drains, [{ ratePerSecond: 100, isForced: true }])
  })

  it('drain: ends with 1 and the node’s own words when it is refused', async () => {
    first.control.answer = { isStarted: false, refusal: 'alone' }
    await fault(1, /DRAIN_REFUSED: no other member is ready/, 'drain')
    await fault(
      1,
      /NODE_UNKNOWN: cluster test has no member node-9; its members are node-0, node-1/,
      'drain',
      'node-9',
    )
  })

  it('drain --cancel: lets the node take clients again', async () => {
    assert.match(await run('drain', '--cancel'), /node-0 is not draining: it takes clients/)
    assert.equal(first.control.cancelled, 1)
    assert.deepEqual(first.control.drains, [])
  })

  it('drain: goes on without its command after Ctrl-C, which says so', async () => {
    first.control.progress = [draining]
    const child = spawn(process.execPath, [grapevine, 'drain', '--json', '--admin', first.url], {
      env: cleanEnvironment(),
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    const progressed = new Promise<void>(resolve => {
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        stderr += text
        if (stderr.includes('waiting for')) resolve()
      })
    })
    await progressed // two seconds without an end are worth a line
    assert.match(stderr, /waiting for node-0 to drain: 3 clients connected, 2 sessions left/)
    child.kill('SIGINT')
    const [code] = (await once(child, 'close')) as [number]
    assert.equal(code, 1)
    assert.match(stderr, /goes on draining without you/)
    assert.equal((JSON.parse(stdout) as DrainStatus).state, 'draining')
    assert.equal(first.control.cancelled, 0)
  })

  it('end with 2 for a wrong command line', async () => {
    await fault(2, /--rate .*"fast"/, 'drain', '--rate', 'fast')
    await fault(2, /--limit .*"0"/, 'sessions', '--limit', '0')
    await fault(2, /--connected and --disconnected/, 'sessions', '--connected', '--disconnected')
  })

  it('end with 1 when no node answers', async () => {
    const { code, stderr } = await runCli(['leader', '--admin', 'http://127.0.0.1:9'])
    assert.equal(code, 1)
    assert.match(stderr, /ADMIN_UNREACHABLE: no node answers/)
  })
})
