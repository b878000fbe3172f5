import { SimCoordinationService } from '../../sim/ports/sim-coordination-store.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import { coordinationStoreContract } from '../contract/coordination-store-contract.ts'

coordinationStoreContract('SimCoordinationStore', () => {
  const clock = new VirtualClock()
  const subject = new SimCoordinationService(clock).connect()
  return Promise.resolve({ subject, advance: ms => clock.advance(ms), close: () => subject.close() })
})
