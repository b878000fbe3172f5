import type { RetainedEntry } from './ports/retained.ts'
import type { Publication } from './publication.ts'

/** A large retained message whose payload other nodes keep. */
export type AbsentEntry = RetainedEntry & { readonly absentBytes: number }

/** Whether its payload is kept elsewhere, and must be fetched before anybody is sent it. */
export function isAbsent(publication: Publication): publication is AbsentEntry {
  return (publication as RetainedEntry).absentBytes !== undefined
}

/** Whether it says that the topic's message was deleted. */
export function isDeletion(entry: RetainedEntry): boolean {
  return entry.payload.length === 0 && entry.absentBytes === undefined
}

/** Bytes of its payload, wherever that is. */
export function payloadBytesOf({ payload, absentBytes }: RetainedEntry): number {
  return absentBytes ?? payload.length
}

/** The same message, its payload kept elsewhere. */
export function withoutPayload(entry: RetainedEntry): AbsentEntry {
  return { ...entry, payload: NO_PAYLOAD, absentBytes: payloadBytesOf(entry) }
}

/** The whole message. */
export function withPayload({ absentBytes: _, ...entry }: AbsentEntry, payload: Uint8Array): RetainedEntry {
  return { ...entry, payload }
}

const NO_PAYLOAD = new Uint8Array(0)
