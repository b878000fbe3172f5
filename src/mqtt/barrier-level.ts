import type { UserProperties } from 'mqtt-packet'

/** How far a subscription must have spread before SUBACK is sent (DESIGN section 4.4). */
export type BarrierLevel = 'local' | 'quorum' | 'all'

const LEVELS: readonly string[] = ['local', 'quorum', 'all'] satisfies BarrierLevel[]
const PROPERTY = 'suback-barrier'

/** What a SUBSCRIBE asks for by its user property, else the configured one; undefined when what it asks for is none. */
export function barrierLevelOf(
  properties: UserProperties | undefined,
  configured: BarrierLevel,
): BarrierLevel | undefined {
  if (properties === undefined || !Object.hasOwn(properties, PROPERTY)) return configured
  const asked = properties[PROPERTY]
  return isLevel(asked) ? asked : undefined
}

function isLevel(value: unknown): value is BarrierLevel {
  return typeof value === 'string' && LEVELS.includes(value)
}
