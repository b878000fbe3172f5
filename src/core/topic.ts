/**
 * Topic names and filters as MQTT 5 section 4.7 and 1.5.4 define them. Pure functions; the routing index has its own
 * faster matcher, and its tests use `topicMatches` as the oracle.
 */

/** Why a topic name or filter is refused; the text completes "the topic …". */
export type TopicFault =
  'is empty' | 'is too long' | 'has too many levels' | 'contains U+0000' | 'misuses a wildcard'

const TOPIC_BYTES_MAX = 65_535

function levelCount(text: string): number {
  let levels = 1
  for (let i = text.indexOf('/'); i !== -1; i = text.indexOf('/', i + 1)) levels++
  return levels
}

function commonFault(text: string, levelsMax: number): TopicFault | undefined {
  if (text.length === 0) return 'is empty' // [MQTT-4.7.3-1]
  if (text.length > TOPIC_BYTES_MAX) return 'is too long' // [MQTT-4.7.3-3]
  if (text.includes('\u0000')) return 'contains U+0000' // [MQTT-4.7.3-2]
  if (levelCount(text) > levelsMax) return 'has too many levels'
  return undefined
}

/** What is wrong with a topic name of a PUBLISH or will; undefined when it is valid. */
export function topicNameFault(topic: string, levelsMax: number): TopicFault | undefined {
  const fault = commonFault(topic, levelsMax)
  if (fault !== undefined) return fault
  return topic.includes('+') || topic.includes('#') ? 'misuses a wildcard' : undefined // [MQTT-3.3.2-2]
}

/** What is wrong with a (non-shared) topic filter; undefined when it is valid. */
export function topicFilterFault(filter: string, levelsMax: number): TopicFault | undefined {
  const fault = commonFault(filter, levelsMax)
  if (fault !== undefined) return fault
  const levels = filter.split('/')
  for (let i = 0; i < levels.length; i++) {
    const level = levels[i] ?? ''
    if (level.includes('#') && (level !== '#' || i !== levels.length - 1)) return 'misuses a wildcard' // [MQTT-4.7.1-1]
    if (level.includes('+') && level !== '+') return 'misuses a wildcard' // [MQTT-4.7.1-2]
  }
  return undefined
}

export function hasWildcard(filter: string): boolean {
  return filter.includes('+') || filter.includes('#')
}

export function isSharedFilter(filter: string): boolean {
  return filter.startsWith('$share/')
}

/** Whether a valid topic name matches a valid filter, by the definition, level for level. */
export function topicMatches(filter: string, topic: string): boolean {
  const filterLevels = filter.split('/')
  const topicLevels = topic.split('/')
  // A leading wildcard does not match topics that begin with $ [MQTT-4.7.2-1].
  if (topic.startsWith('$') && (filterLevels[0] === '+' || filterLevels[0] === '#')) return false
  for (let i = 0; i < filterLevels.length; i++) {
    if (filterLevels[i] === '#') return true // also matches the parent level
    if (i >= topicLevels.length) return false
    if (filterLevels[i] !== '+' && filterLevels[i] !== topicLevels[i]) return false
  }
  return filterLevels.length === topicLevels.length
}
