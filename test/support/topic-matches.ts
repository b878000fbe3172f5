/** Whether a filter without `$share` matches a topic without `$`, by the words of MQTT 5 section 4.7. */
export function topicMatches(filter: string, topic: string): boolean {
  const levels = topic.split('/')
  const parts = filter.split('/')
  for (const [index, part] of parts.entries()) {
    if (part === '#') return true
    if (index >= levels.length || (part !== '+' && part !== levels[index])) return false
  }
  return parts.length === levels.length
}
