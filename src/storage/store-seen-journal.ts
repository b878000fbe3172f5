import type { Incarnation } from '../core/ids.ts'
import { limits } from '../core/limits.ts'
import type { SeenEarlier, SeenJournal } from '../core/ports/seen-journal.ts'
import type { MessageId } from '../core/publication.ts'
import type { JournalWriter } from './journal-writer.ts'
import { allocate, seal, unseal } from './record-seal.ts'

/** Ids lie in a ring under this and their place, hexadecimal; each overwrites the one `seenIdsKeptMax` before it. */
const SEEN_PREFIX = 'seen/'

/** Of the node's last life; its body is the incarnation, a double. */
const LIFE_KEY = 'seen-life'

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

  begin(incarnation: Incarnation): void {
    const bytes = allocate('life', 8)
    bytes.writeDoubleBE(incarnation, 2)
    this.#writer.put(LIFE_KEY, seal(LIFE_KEY, bytes))
  }

  async load(): Promise<SeenEarlier> {
    let life: Incarnation | undefined
    for await (const [key, value] of this.#writer.range(LIFE_KEY))
      life = unseal(key, value, 'life', 8).readDoubleBE(2)
    const found: { readonly count: number; readonly id: MessageId }[] = []
    for await (const [key, value] of this.#writer.range(SEEN_PREFIX)) {
      const bytes = unseal(key, value, 'seen id', BODY_BYTES)
      const id = { incarnation: bytes.readDoubleBE(10), number: bytes.readDoubleBE(18) }
      found.push({ count: bytes.readDoubleBE(2), id })
    }
    found.sort((a, b) => a.count - b.count)
    this.#count = found.at(-1)?.count ?? 0
    return { ids: found.map(({ id }) => id), life }
  }
}
