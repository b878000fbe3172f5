import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatVerifier, makeVerifier } from '../../src/auth/scram-verifier.ts'
import { configSchema } from '../../src/config/schema.ts'
import { createNode } from '../../src/node/create-node.ts'
import { silentLogger } from './silent-logger.ts'

/** What a test may ask of the broker it runs against; everything absent is the default. */
export interface TestBrokerOptions {
  /** User names and passwords for the authentication method SCRAM-SHA-256. */
  readonly scramUsers?: Readonly<Record<string, string>>
  /** False: nobody connects without authentication. */
  readonly anonymous?: boolean
  /** False: no retained messages. */
  readonly retained?: boolean
  /** False: no wildcards in filters. */
  readonly wildcards?: boolean
  readonly maximumPacketSize?: number
  readonly receiveMaximum?: number
  readonly topicAliasMaximum?: number
  /** Of one session. */
  readonly subscriptionsMax?: number
}

/** A broker of the test's own on free loopback ports. */
export interface TestBroker {
  readonly port: number
  /** Of the WebSocket listener, path `/mqtt`. */
  readonly webSocketPort: number
  stop(): Promise<void>
}

/** One Grapevine node with everything real: level on disk, libp2p, TCP and WebSocket. */
export async function startBroker(options: TestBrokerOptions = {}): Promise<TestBroker> {
  const directory = await mkdtemp(join(tmpdir(), 'grapevine-test-'))
  const scramFile = join(directory, 'scram')
  if (options.scramUsers !== undefined) {
    const lines = Object.entries(options.scramUsers).map(
      ([user, password]) =>
        `${user}:${formatVerifier(makeVerifier(password, 4096, Buffer.from('a salt of our own')))}`,
    )
    await writeFile(scramFile, lines.join('\n'))
  }
  const node = await createNode(
    configSchema.parse({
      node: { id: 'conformance', dataDir: join(directory, 'data') },
      mqtt: {
        host: '127.0.0.1',
        port: 0,
        ws: { host: '127.0.0.1', port: 0 },
        retainAvailable: options.retained ?? true,
        wildcardAvailable: options.wildcards ?? true,
        packetBytesMax: options.maximumPacketSize,
        receiveMax: options.receiveMaximum,
        topicAliasMax: options.topicAliasMaximum,
      },
      sessions: { subscriptionsMax: options.subscriptionsMax },
      mesh: { host: '127.0.0.1', port: 0 },
      admin: { port: 0 },
      auth: {
        anonymous: options.anonymous ?? true,
        scram: options.scramUsers === undefined ? {} : { file: scramFile },
      },
    }),
    { logger: silentLogger },
  )
  await node.whenReady()
  const portOf = (protocol: string): number => {
    const url = node.listeners.find(candidate => candidate.startsWith(`${protocol}://`))
    return Number(new URL(url ?? '').port)
  }
  return {
    port: portOf('mqtt'),
    webSocketPort: portOf('ws'),
    async stop() {
      await node.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
