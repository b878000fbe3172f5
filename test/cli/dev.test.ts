import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DevProcess, listens, processTree, untilGone, type AnnouncedNode } from './dev-process.ts'
import { runCli } from './run-cli.ts'

describe('grapevine dev', function () {
  this.timeout(60_000)
  this.slow(20_000)

  let directory: string
  const running: DevProcess[] = []

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'grapevine-dev-'))
  })

  afterEach(async () => {
    for (const dev of running.splice(0)) {
      const tree = processTree(dev.pid)
      dev.kill('SIGKILL')
      await dev.exited
      await untilGone(tree)
    }
    await rm(directory, { recursive: true })
  })

  const start = (...args: string[]) => {
    const ports = args.includes('--port') ? [] : ['--port', '0', '--admin-port', '0']
    const dev = new DevProcess(['--data-dir', join(directory, 'mesh'), ...ports, ...args])
    running.push(dev)
    return dev
  }

  const stopCleanly = async (dev: DevProcess, signal: NodeJS.Signals) => {
    const tree = processTree(dev.pid)
    const nodes = dev.announced
    dev.kill(signal)
    assert.equal(await dev.exited, 0, dev.stderr)
    await untilGone(tree)
    for (const { mqttPort, adminUrl } of nodes) {
      assert.equal(await listens(mqttPort), false)
      assert.equal(await listens(Number(new URL(adminUrl).port)), false)
    }
  }

  /** Publishes at one node what a real client, subscribed at another, is to receive. */
  const assertDelivers = async (from: AnnouncedNode | undefined, to: AnnouncedNode | undefined) => {
    assert.ok(from !== undefined && to !== undefined)
    const subscriber = spawn('stdbuf', [
      '-oL',
      'mosquitto_sub',
      '-d',
      '-h',
      '127.0.0.1',
      '-p',
      String(to.mqttPort),
      '-t',
      'a/#',
      '-C',
      '1',
      '-W',
      '20',
    ])
    let output = ''
    const received = new Promise<number | null>(resolve => subscriber.once('close', resolve))
    await new Promise<void>(resolve => {
      subscriber.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text
        if (output.includes('Subscribed')) resolve()
      })
      void received.then(() => resolve())
    })
    // A SUBACK says that the subscription holds on its own node; the others learn of it a moment later.
    const publish = () =>
      new Promise(resolve =>
        spawn('mosquitto_pub', [
          '-h',
          '127.0.0.1',
          '-p',
          String(from.mqttPort),
          '-t',
          'a/b',
          '-m',
          'hi',
        ]).once('close', resolve),
      )
    let isReceived = false
    void received.then(() => (isReceived = true))
    while (!isReceived) assert.equal(await publish(), 0)
    assert.equal(await received, 0, output)
    assert.match(output, /^hi$/m)
  }

  const statusOf = async (node: AnnouncedNode | undefined) => {
    const { code, stdout } = await runCli(['status', '--json', '--admin', node?.adminUrl ?? ''])
    assert.equal(code, 0)
    return JSON.parse(stdout) as {
      ready: boolean
      cluster: { members: { nodeId: string; linkUp: boolean; state: string }[] }
    }
  }

  it('has no thread mark the heap beside it where there is only one core', async () => {
    const args = ['--data-dir', join(directory, 'mesh'), '--port', '0', '--admin-port', '0', '--nodes', '1']
    const dev = new DevProcess(args, ['taskset', '-c', '0'])
    running.push(dev)
    const [node] = await dev.untilReady()
    const commandLine = await readFile(`/proc/${node?.pid}/cmdline`, 'utf8')
    assert.match(commandLine, /--v8-pool-size=1\0--no-concurrent-marking\0/)
  })

  it('has a larger nursery for more nodes in one process', async () => {
    const dev = start('--nodes', '6')
    const [node] = await dev.untilReady()
    const commandLine = await readFile(`/proc/${node?.pid}/cmdline`, 'utf8')
    assert.match(commandLine, /--max-semi-space-size=16\0/)
  })

  for (const coordination of ['embedded', 'etcd']) {
    describe(`with coordination ${coordination}`, () => {
      it('announces its nodes and a ready mesh, delivers between nodes, and stops with 0 at SIGTERM', async () => {
        const dev = start('--coordination', coordination)
        const nodes = await dev.untilReady()
        assert.deepEqual(
          nodes.map(({ nodeId }) => nodeId),
          ['node-0', 'node-1', 'node-2'],
        )
        assert.equal(dev.stdout.trimEnd().split('\n').length, 4, dev.stdout)
        assert.equal(new Set(nodes.map(({ pid }) => pid)).size, coordination === 'etcd' ? 3 : 1)
        for (const node of nodes) {
          // What V8 reads at its start.
          const commandLine = await readFile(`/proc/${node.pid}/cmdline`, 'utf8')
          assert.match(commandLine, /--max-semi-space-size=8/)
          assert.match(commandLine, /--v8-pool-size=[1-4]/)
          assert.equal((await fetch(`${node.adminUrl}/ready`)).status, 200)
          const { cluster } = await statusOf(node)
          assert.deepEqual(
            cluster.members.map(({ nodeId, linkUp, state }) => [nodeId, linkUp, state]).sort(),
            ['node-0', 'node-1', 'node-2'].map(nodeId => [nodeId, true, 'ready']),
          )
        }
        await assertDelivers(nodes[2], nodes[0])
        await stopCleanly(dev, 'SIGTERM')
        assert.doesNotMatch(dev.stderr, /error|\bat .*:\d+:\d+/i)
      })

      it('leaves nothing behind when it is killed, and starts again on the same data', async () => {
        const killed = start('--coordination', coordination)
        const nodes = await killed.untilReady()
        const tree = processTree(killed.pid)
        killed.kill('SIGKILL')
        await killed.exited
        await untilGone(tree)
        for (const { mqttPort } of nodes) assert.equal(await listens(mqttPort), false)
        const again = start('--coordination', coordination)
        await again.untilReady()
        await stopCleanly(again, 'SIGINT')
      })
    })
  }

  it('starts a node’s process again when it was killed; the others go on meanwhile', async () => {
    const dev = start(
      '--coordination',
      'etcd',
      '--coordination.leaseTtlMs',
      '3000',
      '--coordination.renewIntervalMs',
      '500',
    )
    const [node0, node1, node2] = await dev.untilReady()
    assert.ok(node1 !== undefined)
    process.kill(node1.pid, 'SIGKILL')
    await assertDelivers(node2, node0)
    await dev.until(() => dev.announced.length === 4)
    const back = dev.announced.at(-1)
    assert.equal(back?.nodeId, 'node-1')
    assert.equal(back.mqttPort, node1.mqttPort)
    assert.notEqual(back.pid, node1.pid)
    while (!(await statusOf(back)).ready) await untilGone([])
    await assertDelivers(node2, back)
    await stopCleanly(dev, 'SIGTERM')
  })

  it('refuses data that another dev uses', async () => {
    const first = start('--nodes', '1')
    await first.untilReady()
    const second = start('--nodes', '1', '--fresh')
    assert.equal(await second.exited, 1)
    assert.match(second.stderr, /^grapevine: DATA_DIR_LOCKED: .*mesh/m)
    assert.equal((await statusOf(first.announced[0])).ready, true)
    await stopCleanly(first, 'SIGINT')
  })

  it('refuses data of the other coordination, and what is not its own, also with --fresh', async () => {
    const dev = start('--nodes', '1')
    await dev.untilReady()
    await stopCleanly(dev, 'SIGINT')
    const other = start('--nodes', '1', '--coordination', 'etcd')
    assert.equal(await other.exited, 1)
    assert.match(other.stderr, /DATA_DIR_FOREIGN/)

    const foreign = join(directory, 'photos')
    await mkdir(foreign)
    await writeFile(join(foreign, 'holiday.jpg'), '')
    const fresh = start('--nodes', '1', '--data-dir', foreign, '--fresh')
    assert.equal(await fresh.exited, 1)
    assert.match(fresh.stderr, /DATA_DIR_FOREIGN/)
    assert.deepEqual(await readdir(foreign), ['holiday.jpg'])
  })

  it('counts ports up from the first, and names the one that is taken with its flag', async () => {
    const blocker = createServer().listen(0, '127.0.0.1')
    await new Promise(resolve => blocker.once('listening', resolve))
    const address = blocker.address()
    assert.ok(address !== null && typeof address === 'object')
    const taken = address.port
    const dev = start('--nodes', '2', '--port', String(taken - 1), '--admin-port', '0')
    const code = await dev.exited
    blocker.close()
    assert.equal(code, 1)
    assert.match(dev.stderr, new RegExp(`PORT_IN_USE: .*${taken}.*node-1.*--port`))
    assert.equal(dev.stdout, '')
  })
})
