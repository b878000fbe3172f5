import assert from 'node:assert/strict'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import type { Member, MemberState } from '../../src/core/ports/membership.ts'
import { ClusterEventLog } from '../../src/node/cluster-event-log.ts'
import { silentLogger } from '../support/silent-logger.ts'

function member(nodeId: string, incarnation: number, state: MemberState): Member {
  const nowhere = { peerId: '', addresses: [], version: '', mqttAddress: '', adminUrl: '', startedAtMs: 0 }
  return { nodeId, incarnation, state, ...nowhere }
}

describe('ClusterEventLog', () => {
  it('says who came, who went, whose state is another, and that a node is back under another life', () => {
    const log = new ClusterEventLog(new VirtualClock(), silentLogger)
    log.membersChanged([member('a', 1, 'joining'), member('b', 2, 'ready')])
    log.membersChanged([member('a', 1, 'ready'), member('b', 2, 'ready')])
    log.membersChanged([member('a', 3, 'ready')])
    log.membersChanged([member('a', 3, 'ready')])
    assert.deepEqual(
      log.events.map(({ event, nodeId, detail }) => `${event} ${nodeId}: ${detail}`),
      [
        'member-joined a: incarnation 1, joining',
        'member-joined b: incarnation 2, ready',
        'member-state a: joining → ready',
        'member-left a: incarnation 1',
        'member-left b: incarnation 2',
        'member-joined a: incarnation 3, ready',
      ],
    )
  })
})
