/**
 * A target that means all shared subscriptions of a node at once, or all but some, which the sender serves otherwise.
 *
 * It is told by its group, which no shared subscription has: an empty one [MQTT-4.8.2-1]. Its filter names those left out, apart by
 * characters that neither a group nor a filter can contain [MQTT-1.5.4-2].
 */
import type { SharedTarget } from '../src/core/ports/routing.ts'

const WITHIN = '\0'
const BETWEEN = '\0\0'
/** Of a text on the wire. */
const BYTES_MAX = 65_535

export const everyGroup: SharedTarget = { group: '', filter: '' }

/** With more names than a frame holds: all of them, since a message too many is better than one too few. */
export function everyGroupBut(groups: readonly SharedTarget[]): SharedTarget {
  if (groups.length === 0) return everyGroup
  const filter = groups.map(nameOf).join(BETWEEN)
  return Buffer.byteLength(filter) > BYTES_MAX ? everyGroup : { group: '', filter }
}

export function isEveryGroup({ group }: SharedTarget): boolean {
  return group === everyGroup.group
}

/** Whether `target`, which means every group, leaves this one out. */
export function isLeftOut(group: SharedTarget, { filter }: SharedTarget): boolean {
  return filter !== '' && filter.split(BETWEEN).includes(nameOf(group))
}

function nameOf({ group, filter }: SharedTarget): string {
  return group + WITHIN + filter
}
