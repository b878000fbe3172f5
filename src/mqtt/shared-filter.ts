import { isSharedFilter } from '../core/topic.ts'

/** A subscription's filter taken apart: `$share/<group>/<filter>` or an ordinary one (MQTT 5 section 4.8.2). */
export interface ParsedFilter {
  readonly filter: string
  readonly group: string | undefined
}

/** Undefined when it begins like a shared subscription and is none [MQTT-4.8.2-1] [MQTT-4.8.2-2]. */
export function parseFilter(text: string): ParsedFilter | undefined {
  if (!isSharedFilter(text)) return text === '$share' ? undefined : { filter: text, group: undefined }
  const groupEnd = text.indexOf('/', '$share/'.length)
  if (groupEnd === -1) return undefined
  const group = text.slice('$share/'.length, groupEnd)
  const filter = text.slice(groupEnd + 1)
  if (group === '' || filter === '' || group.includes('+') || group.includes('#')) return undefined
  return { filter, group }
}
