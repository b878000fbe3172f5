import type { BrokerPeer } from './broker-peer.ts'
import { grapevine } from './grapevine.ts'

/** Stands in where a scenario starts all that it measures by itself: nothing is started here. */
export const ownNodes: BrokerPeer = {
  name: 'grapevine nodes',
  settings: 'started by the scenario: as its description says, otherwise the defaults',

  check: () => grapevine.check(),

  start: () =>
    Promise.resolve({
      pid: process.pid,
      port: 0,
      collectGarbage: () => {},
      lastWords: () => '',
      stop: () => Promise.resolve(),
    }),
}
