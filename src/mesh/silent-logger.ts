import type { ComponentLogger, Logger } from '@libp2p/interface'

function discard(): void {
  // libp2p reports every refused or broken connection; what an operator cares about is logged by the transport.
}

const silent: Logger = Object.assign(discard, {
  error: discard,
  trace: discard,
  enabled: false,
  newScope: (): Logger => silent,
})

/** A libp2p logger that says nothing, whatever `DEBUG` is set to. */
export const silentLogger: ComponentLogger = { forComponent: () => silent }
