import { connectMany } from './connect-many.ts'
import type { LoadTarget } from './flow-spec.ts'
import type { BrokerFault } from './load-connection.ts'
import { type LoadConnection } from './load-connection.ts'
import { createReceiveBuffer } from './receive-buffer.ts'

export interface IdleClientsSpec {
  clients: number
  /** Part of the client ids and topics, so that a second crowd gets sessions of its own. */
  crowd: string
  cleanSession: boolean
}

/** Clients that connect, subscribe to one topic each and then say nothing. */
export class IdleClients {
  #connections: LoadConnection[] = []
  #fault: BrokerFault | undefined

  /** Answers when every client has its SUBACK. Throws `BrokerFault`. */
  async open(spec: IdleClientsSpec, target: LoadTarget): Promise<void> {
    const receive = createReceiveBuffer()
    this.#connections = await connectMany(
      spec.clients,
      index => ({
        ...target,
        clientId: `bench-${spec.crowd}-${index}`,
        cleanSession: spec.cleanSession,
        receive,
        payloadBytes: 0,
        onFault: fault => {
          this.#fault ??= fault
        },
      }),
      async (connection, index) => connection.subscribe(`bench/${spec.crowd}/${index}`, 0),
    )
  }

  /** Throws `BrokerFault` when the broker has ended a connection meanwhile. */
  async close(): Promise<void> {
    await Promise.all(this.#connections.map(async connection => connection.close()))
    this.#connections = []
    if (this.#fault !== undefined) throw this.#fault
  }
}
