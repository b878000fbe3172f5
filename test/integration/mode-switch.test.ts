import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import mqtt, { type MqttClient } from 'mqtt'
import type { ModeStatusView } from '../../src/admin/mode-schemas.ts'
import { configSchema } from '../../src/config/schema.ts'
import { createNode } from '../../src/node/create-node.ts'
import type { GrapevineNode } from '../../src/node/grapevine-node.ts'
import { runCli } from '../cli/run-cli.ts'
import { deliveryViolations } from '../durability/delivery-checker.ts'
import { LoadPublisher } from '../durability/load-publisher.ts'
import { LoadSubscriber } from '../durability/load-subscriber.ts'
import { startPrivateEtcd, type PrivateEtcd } from '../support/private-etcd.ts'
import { silentLogger } from '../support/silent-logger.ts'

/** Three nodes with everything real, and the command line as the operator has it. */
describe('grapevine mode on a live cluster', () => {
  let etcd: PrivateEtcd
  let directory: string
  let nodes: GrapevineNode[]
  const clients: MqttClient[] = []

  const port = (index: number): number => Number(nodes[index]?.mqttAddress.split(':')[1])
  const adminUrl = (index: number): string => nodes[index]?.adminUrl ?? ''

  const start = (index: number): Promise<GrapevineNode> =>
    createNode(
      configSchema.parse({
        node: { id: `node-${index}`, dataDir: join(directory, `node-${index}`) },
        mqtt: { host: '127.0.0.1', port: 0 },
        mesh: { host: '127.0.0.1', port: 0 },
        admin: { port: 0 },
        coordination: { store: 'etcd', etcd: { endpoints: [etcd.url] } },
        routing: { mode: 'etcd' },
        auth: { anonymous: true },
      }),
      { logger: silentLogger },
    )

  const connect = async (index: number, clientId: string): Promise<MqttClient> => {
    const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port(index)}`, {
      protocolVersion: 5,
      clientId,
      reconnectPeriod: 0,
    })
    clients.push(client)
    return client
  }

  const modeOf = async (index: number): Promise<ModeStatusView> =>
    (await (await fetch(`${adminUrl(index)}/api/v1/mode`)).json()) as ModeStatusView

  before(async () => {
    etcd = await startPrivateEtcd()
    directory = await mkdtemp(join(tmpdir(), 'grapevine-mode-'))
    nodes = await Promise.all([0, 1, 2].map(start))
    await Promise.all(nodes.map(node => node.whenReady()))
  })

  after(async () => {
    await Promise.all(clients.map(client => client.endAsync(true)))
    await Promise.all(nodes.map(node => node.stop()))
    await etcd.close()
    await rm(directory, { recursive: true, force: true })
  })

  /** Subscribes and unsubscribes without pause; what is published elsewhere right after a SUBACK with barrier `all` must come. */
  async function churn(name: string, isOver: () => boolean): Promise<number> {
    const [subscriber, publisher] = [await connect(0, `${name}-sub`), await connect(2, `${name}-pub`)]
    let arrived = 0
    subscriber.on('message', () => arrived++)
    let rounds = 0
    for (; !isOver(); rounds++) {
      const topic = `churn/${name}/${rounds % 50}`
      const filter = rounds % 3 === 0 ? `${topic}/#` : topic
      await subscriber.subscribeAsync(filter, {
        qos: 1,
        properties: { userProperties: { 'suback-barrier': 'all' } },
      })
      const isFound = new Promise<void>(resolve => subscriber.once('message', () => resolve()))
      await publisher.publishAsync(topic, 'x', { qos: 1 })
      await isFound
      await subscriber.unsubscribeAsync(filter)
    }
    assert.equal(arrived, rounds)
    return rounds
  }

  it('goes etcd → gossip → etcd under load at QoS 1 and churn, and loses nothing', async () => {
    const publishers = [0, 1, 2].map(
      index => new LoadPublisher({ name: `pub${index}`, topic: `load/${index}`, qos: 1, version: 5 }),
    )
    const subscribers = [0, 1, 2].map(index => new LoadSubscriber('load/+', { name: `sub${index}` }))
    await Promise.all(subscribers.map((subscriber, index) => subscriber.connect(port(index))))
    // Each node must know the others' subscribers before anything counts.
    const known = (): boolean =>
      nodes.every(node => node.clusterStatus().members.every(({ filters }) => filters === 1))
    while (!known()) await new Promise(resolve => setTimeout(resolve, 10))
    await Promise.all(publishers.map((publisher, index) => publisher.connect(port(index))))
    let isOver = false
    const churning = Promise.all([churn('a', () => isOver), churn('b', () => isOver)])
    assert.equal((await modeOf(1)).mode, 'etcd')

    for (const [to, index] of [
      ['gossip', 0],
      ['etcd', 2],
    ] as const) {
      const { code, stdout, stderr } = await runCli(['mode', 'set', to, '--admin', adminUrl(index)])
      assert.equal(code, 0, stderr + stdout)
      assert.match(stdout, new RegExp(`→ ${to} switched after`))
      const { stdout: text } = await runCli(['mode', 'get', '--json', '--admin', adminUrl(1)])
      assert.equal((JSON.parse(text) as ModeStatusView).mode, to)
    }

    isOver = true
    const rounds = await churning
    await Promise.all(publishers.map(publisher => publisher.finish()))
    const histories = publishers.map(({ history }) => history)
    const sent = histories.reduce((sum, history) => sum + history.acknowledged.size, 0)
    for (const subscriber of subscribers) {
      await subscriber.until(() => new Set(subscriber.deliveries).size >= sent)
      assert.deepEqual(deliveryViolations(histories, subscriber.deliveries), [])
      assert.deepEqual(subscriber.violations, [])
      subscriber.drop()
    }
    for (const publisher of publishers) {
      assert.deepEqual(publisher.violations, [])
      publisher.drop()
    }
    assert.ok(sent > 1000 && Math.min(...rounds) > 20, `${sent} messages, ${rounds.join(' and ')} rounds`)
  }).timeout(120_000)

  it('a node that restarts takes the mode of the cluster, whatever it is configured with', async () => {
    await nodes[1]?.stop()
    const { code, stdout } = await runCli(['mode', 'set', 'gossip', '--admin', adminUrl(0)])
    assert.equal(code, 0, stdout)
    nodes[1] = await start(1)
    await nodes[1].whenReady()
    assert.equal((await modeOf(1)).mode, 'gossip')
    const [subscriber, publisher] = [await connect(1, 'back'), await connect(0, 'forth')]
    await subscriber.subscribeAsync('back/again', {
      qos: 1,
      properties: { userProperties: { 'suback-barrier': 'all' } },
    })
    const arrived = new Promise<void>(resolve => subscriber.once('message', () => resolve()))
    await publisher.publishAsync('back/again', 'x', { qos: 1 })
    await arrived
  }).timeout(60_000)
})
