import assert from 'node:assert/strict'
import type { ModeStatusView } from '../../src/admin/mode-schemas.ts'
import { runCli } from '../cli/run-cli.ts'
import { deliveryViolations } from '../durability/delivery-checker.ts'
import { LoadPublisher } from '../durability/load-publisher.ts'
import { LoadSubscriber } from '../durability/load-subscriber.ts'
import { RealMesh } from '../support/real-mesh.ts'

/** Three nodes with everything real, and the command line as the operator has it. */
describe('grapevine mode on a live cluster', () => {
  let mesh: RealMesh

  const port = (index: number): number => Number(mesh.node(index).mqttAddress.split(':')[1])
  const adminUrl = (index: number): string => mesh.node(index).adminUrl

  const modeOf = async (index: number): Promise<ModeStatusView> =>
    (await (await fetch(`${adminUrl(index)}/api/v1/mode`)).json()) as ModeStatusView

  before(async () => {
    mesh = await RealMesh.start({ config: { routing: { mode: 'etcd' } } })
  })

  after(() => mesh.close())

  /** Subscribes and unsubscribes without pause; what is published elsewhere right after a SUBACK with barrier `all` must come. */
  async function churn(name: string, isOver: () => boolean): Promise<number> {
    const [subscriber, publisher] = [
      await mesh.connect(0, `${name}-sub`),
      await mesh.connect(2, `${name}-pub`),
    ]
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
      mesh.nodes.every(node => node.clusterStatus().members.every(({ filters }) => filters === 1))
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
    await mesh.node(1).stop()
    const { code, stdout } = await runCli(['mode', 'set', 'gossip', '--admin', adminUrl(0)])
    assert.equal(code, 0, stdout)
    await mesh.startAgain(1)
    assert.equal((await modeOf(1)).mode, 'gossip')
    const [subscriber, publisher] = [await mesh.connect(1, 'back'), await mesh.connect(0, 'forth')]
    await subscriber.subscribeAsync('back/again', {
      qos: 1,
      properties: { userProperties: { 'suback-barrier': 'all' } },
    })
    const arrived = new Promise<void>(resolve => subscriber.once('message', () => resolve()))
    await publisher.publishAsync('back/again', 'x', { qos: 1 })
    await arrived
  }).timeout(60_000)
})
