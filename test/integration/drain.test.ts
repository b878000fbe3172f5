import assert from 'node:assert/strict'
import type { IClientOptions } from 'mqtt'
import type { DrainStatusView, SessionDetailsView } from '../../src/admin/control-schemas.ts'
import type { GrapevineNode } from '../../src/node/grapevine-node.ts'
import { RealMesh } from '../support/real-mesh.ts'

const REFERENCE = 'elsewhere.example:1883'
const LASTING: IClientOptions = { clean: false, properties: { sessionExpiryInterval: 600 } }

/** Two nodes with everything real but etcd: libp2p over TCP, level on disk; MQTT.js as the client. */
describe('draining one of two nodes', () => {
  let mesh: RealMesh
  let leaving: GrapevineNode
  let staying: GrapevineNode

  const ask = async <T>(node: GrapevineNode, path: string, init?: RequestInit): Promise<T> =>
    (await (await fetch(node.adminUrl + path, init)).json()) as T

  /** Resolves when nothing is left on the leaving node. */
  const drained = async (): Promise<DrainStatusView> => {
    for (;;) {
      const status = await ask<DrainStatusView>(leaving, '/api/v1/drain')
      if (status.state === 'drained') return status
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }

  const startDrain = (): Promise<DrainStatusView> =>
    ask(leaving, '/api/v1/drain', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"ratePerSecond":100}',
    })

  /** Resolves when each node knows as many filters of the other as that has. */
  const interestSpread = async (): Promise<void> => {
    const isSpread = (node: GrapevineNode, other: GrapevineNode): boolean =>
      node.clusterStatus().members.find(({ nodeId }) => nodeId === other.nodeId)?.filters ===
      other.clusterStatus().local.filters
    while (!isSpread(leaving, staying) || !isSpread(staying, leaving))
      await new Promise(resolve => setTimeout(resolve, 10))
  }

  /** Resolves when `node` knows the other to be in that state. */
  const seenAs = async (node: GrapevineNode, other: string, state: string): Promise<void> => {
    const isSeen = (): boolean =>
      node.clusterStatus().members.some(member => member.nodeId === other && member.state === state)
    while (!isSeen()) await new Promise(resolve => setTimeout(resolve, 10))
  }

  beforeEach(async () => {
    const config = { sessions: { serverReference: REFERENCE } }
    mesh = await RealMesh.start({ nodeIds: ['leaving', 'staying'], store: 'shared', config })
    leaving = mesh.node(0)
    staying = mesh.node(1)
    await Promise.all([seenAs(leaving, 'staying', 'ready'), seenAs(staying, 'leaving', 'ready')])
  })

  afterEach(() => mesh.close())

  it('hands a session with its subscriptions and queued messages to the other', async () => {
    const absent = await mesh.connect(0, 'absent/1', LASTING)
    await absent.subscribeAsync('news/#', { qos: 1 })
    await absent.endAsync()
    await interestSpread()
    const publisher = await mesh.connect(1, 'publisher')
    for (let i = 0; i < 20; i++) await publisher.publishAsync('news/before', String(i), { qos: 1 })

    assert.equal((await startDrain()).state, 'draining')
    const status = await drained()
    assert.equal(status.sessionsMoved, 1)
    assert.equal(status.sessions, 0)
    const found = await ask<SessionDetailsView>(leaving, `/api/v1/sessions/${encodeURIComponent('absent/1')}`)
    assert.equal(found.owner?.nodeId, 'staying')
    assert.equal(found.owner.how, 'moved')
    assert.equal(found.owner.from, 'leaving')
    await leaving.stop()
    await publisher.publishAsync('news/after', 'last', { qos: 1 })

    const received: string[] = []
    const back = mesh.dial(1, 'absent/1', LASTING)
    const complete = new Promise<void>(resolve => {
      back.on('message', (_topic, payload) => {
        received.push(payload.toString())
        if (received.at(-1) === 'last') resolve()
      })
    })
    const [connack] = await new Promise<[{ sessionPresent: boolean }]>(resolve =>
      back.once('connect', (...args) => resolve(args as [{ sessionPresent: boolean }])),
    )
    assert.equal(connack.sessionPresent, true)
    await complete
    assert.deepEqual(received, [...Array.from({ length: 20 }, (_, i) => String(i)), 'last'])
  })

  it('sends connected clients to the server named, refuses new ones, and is not ready meanwhile', async () => {
    const client = await mesh.connect(0, 'connected')
    const farewell = new Promise<{ reasonCode?: number; properties?: { serverReference?: string } }>(
      resolve => client.once('disconnect', resolve),
    )
    await startDrain()
    const { reasonCode, properties } = await farewell
    assert.equal(reasonCode, 0x9c)
    assert.equal(properties?.serverReference, REFERENCE)
    await drained()
    await assert.rejects(mesh.connect(0, 'late'), { code: 0x9c })
    assert.equal((await fetch(`${leaving.adminUrl}/ready`)).status, 503)
    await seenAs(staying, 'leaving', 'draining')

    await ask(leaving, '/api/v1/drain', { method: 'DELETE' })
    assert.equal((await fetch(`${leaving.adminUrl}/ready`)).status, 200)
    await mesh.connect(0, 'again')
  })

  it('is over at its deadline, with the clients that were not asked to go yet', async () => {
    const ids = ['one', 'two', 'three', 'four']
    const clients = await Promise.all(ids.map(clientId => mesh.connect(0, clientId, LASTING)))
    const status = await leaving.drain({ timeoutMs: 300, ratePerSecond: 1 })
    assert.equal(status.state, 'draining')
    assert.ok(status.sessions >= 3 && clients.filter(client => client.connected).length >= 3)
    await leaving.stop()
    const received = mesh.connect(1, 'four', LASTING)
    await assert.rejects(received, { code: 0x88 }, 'its session waits for its node, which is gone')
  })

  it('refuses to drain the last node that is ready', async () => {
    await staying.drain({ timeoutMs: 5000 })
    await seenAs(leaving, 'staying', 'draining')
    const answer = await ask<{ error?: { code: string } }>(leaving, '/api/v1/drain', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    })
    assert.equal(answer.error?.code, 'DRAIN_REFUSED')
  })
})
