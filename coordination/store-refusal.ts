import { GrapevineError } from '../src/core/errors.ts'

/**
 * COORDINATION_UNAVAILABLE of a store that answered and said no (it is full, the user may not): as little came of the call
 * as when it cannot be reached, but trying another time or place is no help.
 */
export class StoreRefusal extends GrapevineError {
  constructor(message: string) {
    super('COORDINATION_UNAVAILABLE', message)
  }
}
