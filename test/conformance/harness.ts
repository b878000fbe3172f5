import assert from 'node:assert/strict'
import type { IConnectPacket } from 'mqtt-packet'
import { startBroker, type TestBroker, type TestBrokerOptions } from '../support/broker.ts'
import { RawClient, type Received } from '../support/raw-client.ts'
import type { MqttVersion } from '../support/raw-packet.ts'

/** The versions that most tests run under, with the word for a test's title. */
export const versions: readonly { version: MqttVersion; over: string }[] = [
  { version: 4, over: 'over 3.1.1' },
  { version: 5, over: 'over 5.0' },
]

/** The broker of one `describe`, and its clients, which are gone after each test. */
export class BrokerUnderTest {
  readonly #options: TestBrokerOptions
  #broker: TestBroker | undefined
  #clients: RawClient[] = []
  #names = 0

  constructor(options: TestBrokerOptions) {
    this.#options = options
  }

  get port(): number {
    return this.#running.port
  }

  get webSocketPort(): number {
    return this.#running.webSocketPort
  }

  get #running(): TestBroker {
    assert(this.#broker, 'the broker runs only inside of tests')
    return this.#broker
  }

  /** A name for a client or a topic that no other test uses; letters and digits, at most 23 bytes. */
  unique(): string {
    return `name${++this.#names}`
  }

  /** A TCP connection on which nothing was sent. */
  async open(version: MqttVersion): Promise<RawClient> {
    const client = await RawClient.open(this.port, version)
    this.#clients.push(client)
    return client
  }

  /** A client that the broker accepted, with a client identifier of its own and a clean start unless told otherwise. */
  async connect(version: MqttVersion, options: Partial<IConnectPacket> = {}): Promise<RawClient> {
    const client = await this.open(version)
    const connack = await client.connect({ clientId: this.unique(), ...options })
    assert.equal(connack.reasonCode ?? connack.returnCode, 0)
    return client
  }

  /**
   * A client whose session outlasts its connection, under either version; `isResumed` says what its CONNACK must say.
   */
  async resume(
    version: MqttVersion,
    clientId: string,
    isResumed: boolean,
    options: Partial<IConnectPacket> = {},
  ): Promise<RawClient> {
    const client = await this.open(version)
    const connack = await client.connect({ ...durable(version, clientId), ...options })
    assert.equal(connack.reasonCode ?? connack.returnCode, 0)
    assert.equal(connack.sessionPresent, isResumed)
    return client
  }

  async start(): Promise<void> {
    this.#broker = await startBroker(this.#options)
  }

  async dropClients(): Promise<void> {
    await Promise.all(this.#clients.splice(0).map(client => client.drop()))
  }

  async stop(): Promise<void> {
    await this.#broker?.stop()
  }
}

/** Registers the hooks that start and stop a broker around the tests of the surrounding `describe`. */
export function useBroker(options: TestBrokerOptions = {}): BrokerUnderTest {
  const broker = new BrokerUnderTest(options)
  before(() => broker.start())
  // Longer than the deadlines of RawClient, so that its message tells what was missing.
  beforeEach(function () {
    this.currentTest?.timeout(15_000)
  })
  afterEach(() => broker.dropClients())
  after(() => broker.stop())
  return broker
}

/** The CONNECT fields of a session that is kept for an hour. */
export function durable(
  version: MqttVersion,
  clientId: string,
): Partial<IConnectPacket> & { clientId: string } {
  return { clientId, clean: false, ...(version === 5 && { properties: { sessionExpiryInterval: 3600 } }) }
}

/**
 * Waits for the broker to close a connection that broke the protocol, and checks how: before the close nothing but, in
 * v5, one DISCONNECT with one of `codes` (any error when none are given).
 */
export async function assertRefused(client: RawClient, ...codes: readonly number[]): Promise<void> {
  const last = await client.closed()
  if (client.version < 5)
    assert.deepEqual(
      last.map(packet => packet.cmd),
      [],
    )
  assert(last.length <= 1, `one DISCONNECT at most: ${JSON.stringify(last)}`)
  for (const packet of last) assertDisconnect(packet, ...codes)
}

/** A DISCONNECT that names an error, one of `codes` when any are given. */
export function assertDisconnect(packet: Received | undefined, ...codes: readonly number[]): void {
  assert(packet?.cmd === 'disconnect', `expected DISCONNECT, got ${JSON.stringify(packet)}`)
  const { reasonCode = 0 } = packet
  assert(reasonCode >= 0x80, `DISCONNECT ${reasonCode} does not name an error`)
  if (codes.length > 0) assert(codes.includes(reasonCode), `DISCONNECT 0x${reasonCode.toString(16)}`)
}

/**
 * Waits for the broker to close a connection whose CONNECT it does not accept. Before that it may send, in v5, one CONNACK with
 * an error (one of `codes` when any are given) and no session; in 3.1.1 exactly the CONNACK with `returnCode`, or nothing.
 */
export async function assertConnectRefused(
  client: RawClient,
  codes: readonly number[] = [],
  returnCode?: number,
): Promise<void> {
  const answers = await client.closed()
  if (client.version < 5) {
    const expected = returnCode === undefined ? [] : [[0x20, 2, 0, returnCode]]
    assert.deepEqual(
      answers.map(packet => [...packet.bytes]),
      expected,
    )
    return
  }
  assert(answers.length <= 1, `one CONNACK at most: ${JSON.stringify(answers)}`)
  for (const answer of answers) {
    assert(answer.cmd === 'connack', `expected CONNACK, got ${JSON.stringify(answer)}`)
    const { reasonCode = 0 } = answer
    assert(connectErrors.has(reasonCode), `CONNACK 0x${reasonCode.toString(16)}`)
    assert.equal(answer.sessionPresent, false)
    if (codes.length > 0) assert(codes.includes(reasonCode), `CONNACK 0x${reasonCode.toString(16)}`)
  }
}

/** The connect reason codes of v5 that name an error (table 3-1). */
const connectErrors = new Set([
  0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b,
  0x9c, 0x9d, 0x9f,
])
