import { GrapevineError } from '../src/core/errors.ts'

/**
 * COORDINATION_UNAVAILABLE of a store that answered and said no (it is full, the user may not): as little came of the call
 * as when it cannot be reached, but trying another time or place is no help.
 */
export class StoreRefusal extends GrapevineError {
  /** It says no to others as well, as in `CoordinationOutcome`. */
  readonly isStanding: boolean

  constructor(message: string, isStanding = false) {
    super('COORDINATION_UNAVAILABLE', message)
    this.isStanding = isStanding
  }
}
