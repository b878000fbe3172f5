import { runBacklog } from './backlog.ts'
import { runConnectStorm } from './connect-storm.ts'
import { Flow } from './flow.ts'
import { IdleClients } from './idle-clients.ts'
import { BrokerFault } from './load-connection.ts'
import { Spread } from './spread.ts'
import { Takeover } from './takeover.ts'
import type { LoadAnswer, LoadRequest, LoadResults } from './load-protocol.ts'

/**
 * The load generator's process: publishers and subscribers live here together, so that send and receive times are
 * read from one clock. Ends when its parent does.
 */
let idle = new IdleClients()
let spread: Spread | undefined

async function perform(request: LoadRequest): Promise<LoadResults[keyof LoadResults]> {
  switch (request.kind) {
    case 'flow':
      return await new Flow(request.spec, request.target, request.timing).run()
    case 'connect-storm':
      return await runConnectStorm(request.spec, request.target, request.timing)
    case 'spread':
      spread = new Spread(request.spec, request.target, request.timing)
      return await spread.run()
    case 'spread-close':
      await spread?.close()
      return null
    case 'takeover':
      return await new Takeover(request.spec, request.target, request.timing).run()
    case 'backlog':
      return await runBacklog(request.spec, request.target)
    case 'idle-open':
      idle = new IdleClients()
      await idle.open(request.spec, request.target)
      return null
    case 'idle-close':
      await idle.close()
      return null
  }
}

async function answer(request: LoadRequest): Promise<LoadAnswer> {
  try {
    return { result: await perform(request) }
  } catch (error) {
    if (error instanceof BrokerFault) return { fault: error.message }
    throw error
  }
}

process.on('message', (request: LoadRequest) => {
  void answer(request).then(
    result => process.send?.(result),
    (error: unknown) => {
      console.error(error)
      process.exit(1)
    },
  )
})
process.on('disconnect', () => process.exit(0))
