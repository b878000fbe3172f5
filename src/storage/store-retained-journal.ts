import type { RetainedJournal } from '../core/ports/retained.ts'
import type { Publication } from '../core/publication.ts'
import type { JournalWriter } from './journal-writer.ts'
import {
  PUBLICATION_BYTES_MIN,
  publicationBytes,
  readPublication,
  writePublication,
} from './publication-codec.ts'
import { allocate, corrupt, seal, unseal } from './record-seal.ts'

/** A message lies under this and its topic, as it is; the record's body is the publication (publication-codec.ts). */
const RETAINED_PREFIX = 'retained/'

/** The retained messages on the node's own store, one row per topic. */
export class StoreRetainedJournal implements RetainedJournal {
  readonly #writer: JournalWriter

  constructor(writer: JournalWriter) {
    this.#writer = writer
  }

  put(publication: Publication): number {
    const key = RETAINED_PREFIX + publication.topic
    const bytes = allocate('retained message', publicationBytes(publication))
    writePublication(bytes, 2, publication)
    return this.#writer.put(key, seal(key, bytes))
  }

  delete(topic: string): number {
    return this.#writer.delete(RETAINED_PREFIX + topic)
  }

  /** Payloads and properties are the publications' own bytes. */
  async *load(): AsyncIterable<Publication> {
    for await (const [key, value] of this.#writer.range(RETAINED_PREFIX)) {
      const bytes = unseal(key, value, 'retained message', PUBLICATION_BYTES_MIN)
      const publication = readPublication(key, bytes, 2)
      if (RETAINED_PREFIX + publication.topic !== key) throw corrupt(key, 'it is of another topic')
      yield publication
    }
  }
}
