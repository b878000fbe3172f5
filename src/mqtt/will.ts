import type { WillRecord } from '../core/ports/session-journal.ts'
import type { Publication } from '../core/publication.ts'

/** What a client asked to be published when it goes without a word (MQTT 5 section 3.1.2.5). */
export interface Will {
  readonly publication: Omit<Publication, 'expiresAtMs'>
  /** Counted from its publication. */
  readonly messageExpirySeconds: number | undefined
  readonly delaySeconds: number
}

/** As it is kept. */
export function willRecord(will: Will): WillRecord {
  return { ...will, publication: { ...will.publication, expiresAtMs: undefined } }
}
