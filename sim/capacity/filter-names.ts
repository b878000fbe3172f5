/** Names of the filters that simulated clients subscribe to, and of topics to try: functions of numbers, alike in every thread. */

/** Sites the clients belong to; each wildcard is about one. */
const SITES_MIN = 1_000

/** Of filter `number` without wildcards, counted over the whole cluster. */
export function exactFilter(number: number, sites: number): string {
  return `site/${number % Math.max(SITES_MIN, sites)}/device/${number}/state`
}

export function wildcardFilter(number: number): string {
  return `site/${number}/device/+/alarm/#`
}

/** A topic that `wildcardFilter(number)` matches, and nothing else. */
export function alarmTopic(number: number, device: number): string {
  return `site/${number}/device/${device}/alarm/${device % 7}`
}

/** Group and filter of shared subscription `number`. */
export function sharedFilter(number: number): { readonly group: string; readonly filter: string } {
  return { group: `workers-${number % 10}`, filter: `site/${number}/device/+/event` }
}

/** A topic nobody subscribes to. */
export function strayTopic(number: number): string {
  return `plant/${number % 1_000}/device/${number}/state`
}

export function clientName(number: number): string {
  return `device-${String(number).padStart(10, '0')}`
}
