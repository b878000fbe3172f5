import type { ClientId } from '../../../src/core/ids.ts'
import type { SessionHolder } from '../../../src/core/ports/session-ownership.ts'

/** Holds clients without any state: a session leaves with nothing but the ownership. */
export function plainHolder(surrender: (clientId: ClientId) => void): SessionHolder {
  return {
    surrender,
    renew() {},
    mayBeGiven: () => true,
    freeze: () => 'nothing',
    isLeaving: () => false,
    given() {},
    thaw() {},
    tail: () => [],
    tailKept() {},
    withdrawShared() {},
    whenFlushed() {},
    withdraw: () => [],
    forget() {},
    leaving: () => [],
    beginStaged() {},
    stage: () => true,
    unstage() {},
    whenKept(done) {
      done()
    },
    takeTail: () => 'gone',
    tailCaughtUp() {},
    endTail() {},
    expiryOf: () => undefined,
    willOf: () => undefined,
    willPublished() {},
    unclaimed: () => [],
    adopt: () => Promise.resolve(false),
  }
}
