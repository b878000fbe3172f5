import { limits } from '../core/limits.ts'
import type { SeenJournal } from '../core/ports/seen-journal.ts'
import type { MessageId } from '../core/publication.ts'
import type { JournalWriter } from './journal-writer.ts'
import { allocate, seal, unseal } from './record-seal.ts'

/** Ids lie in a ring under this and their place, hexadecimal; each overwrites the one `seenIdsKeptMax` before it. */
const SEEN_PREFIX = 'seen/'

/** A record's body is its running number (8), the id's incarnation (8) and number (8), doubles. */
const BODY_BYTES = 24

export class StoreSeenJournal implements SeenJournal {
  readonly #writer: JournalWriter
  #count = 0

  constructor(writer: JournalWriter) {
    this.#writer = writer
  }

  remember({ incarnation, number }: MessageId): number {
    const count = ++this.#count
    const key = SEEN_PREFIX + (count % limits.seenIdsKeptMax).toString(16)
    const bytes = allocate('seen id', BODY_BYTES)
    bytes.writeDoubleBE(count, 2)
    bytes.writeDoubleBE(incarnation, 10)
    bytes.writeDoubleBE(number, 18)
    return this.#writer.put(key, seal(key, bytes))
  }

  async load(): Promise<readonly MessageId[]> {
    const found: { readonly count: number; readonly id: MessageId }[] = []
    for await (const [key, value] of this.#writer.range(SEEN_PREFIX)) {
      const bytes = unseal(key, value, 'seen id', BODY_BYTES)
      const id = { incarnation: bytes.readDoubleBE(10), number: bytes.readDoubleBE(18) }
      found.push({ count: bytes.readDoubleBE(2), id })
    }
    found.sort((a, b) => a.count - b.count)
    this.#count = found.at(-1)?.count ?? 0
    return found.map(({ id }) => id)
  }
}
