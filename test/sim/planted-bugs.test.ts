import assert from 'node:assert/strict'
import type { PlantedBug } from './support/planted-bugs.ts'
import { simulate } from './support/test-simulations.ts'

/** A bug, a seed whose faults bring it out, and the checker that has to complain. One owner and fencing: fencing.test.ts. */
const cases: readonly (readonly [bug: PlantedBug, seed: number, checker: string])[] = [
  ['disks forget what they had committed', 18, 'acknowledged-means-kept'],
  ['messages to other nodes are acknowledged and not sent', 2, 'acknowledged-means-kept'],
  ['messages are made up', 2, 'no-phantoms'],
  ['a QoS 2 message is delivered twice', 2, 'exactly-once'],
  ['a QoS 1 message is delivered twice', 2, 'duplicates'],
  ['a message is overtaken by later ones', 2, 'order'],
  ['nobody is disconnected by a later CONNECT', 2, 'last-connect-wins'],
  ['sessions are begun anew', 2, 'session-present'],
  ['UNSUBSCRIBE does nothing', 2, 'unsuback-stops'],
  ['retained messages of other nodes are ignored', 2, 'retained-converges'],
  ['payloads that other nodes keep are not fetched', 2, 'retained-converges'],
  ['wills are forgotten', 2, 'wills'],
  ['shared groups get nothing', 2, 'shared-groups'],
  ['what the session of a member leaves is dropped', 3, 'shared-groups'],
  ['Receive Maximum is ignored', 3, 'flow-control'],
  ['expiry intervals are ignored', 7, 'expiry'],
  ['a lost lease goes unnoticed', 8, 'registered'],
  ['a node that was cut off stays suspended', 1, 'comes-to-rest'],
  ['damage on disk goes unnoticed', 27, 'damage-detected'],
  ['sessions that moved are kept', 2, 'back-to-baseline'],
  ['production code throws', 2, 'comes-to-rest'],
]

describe('A bug planted in a simulated cluster is found', function () {
  this.timeout(120_000)

  for (const [bug, seed, checker] of cases) {
    it(`by ${checker} when ${bug}`, async () => {
      const options = { seed, nodes: 3, minutes: 1, isRoaming: false }
      const { violations } = await simulate({ kind: 'planted-bug', options, bug })
      const complained = new Set(violations.map(violation => violation.checker))
      assert.ok(complained.has(checker), [...complained].join())
    })
  }

  /** With what each of them is accused of, so that none is found for another's reason. */
  const ofWills: readonly (readonly [bug: PlantedBug, complaint: RegExp])[] = [
    ['a DISCONNECT is taken for a lost connection', /came though the broker read the DISCONNECT/],
    ['a will is published though its client is back', /came though the client .* was back/],
    ['wills come 25 minutes late', /had not come by/],
  ]
  for (const [bug, complaint] of ofWills) {
    it(`by wills, with the right complaint, when ${bug}`, async () => {
      const options = { seed: 2, nodes: 3, minutes: 1, isRoaming: false, keptFaults: [] }
      const { violations } = await simulate({ kind: 'planted-bug', options, bug })
      const complaints = violations.filter(({ checker }) => checker === 'wills').map(({ detail }) => detail)
      assert.ok(
        complaints.some(detail => complaint.test(detail)),
        complaints.join('\n'),
      )
    })
  }

  it('by shared-groups when two members of a group get a message and no fault excuses it', async () => {
    const bug = 'two members of a group get a message'
    const options = { seed: 2, nodes: 3, minutes: 1, isRoaming: false, keptFaults: [] }
    const { violations } = await simulate({ kind: 'planted-bug', options, bug })
    assert.ok(violations.some(({ checker }) => checker === 'shared-groups'))
  })
})
