import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

type Collect = (options: { readonly type: 'minor' }) => void

/** V8 marks its whole heap when 64 MB have come outside of it, however short-lived they are. */
const BYTES_PER_COLLECTION = 24 * 1024 * 1024

/**
 * Has the buffers that one listener's connections were read into freed in time.
 *
 * They lie outside V8's heap and go with its nursery. Large packets fill that far too slowly: without this, V8 would mark the whole
 * heap for every few hundred of them, which takes a hundred times as long as emptying the nursery.
 */
export class ReadBuffers {
  readonly #collect: Collect
  #bytes = 0

  /** `collect` empties the nursery. */
  constructor(collect: Collect = nurseryCollection()) {
    this.#collect = collect
  }

  /** So many bytes were read, and have been dealt with. */
  read(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes < BYTES_PER_COLLECTION) return
    this.#bytes = 0
    this.#collect({ type: 'minor' })
  }
}

/** Node has no other way to it. */
function nurseryCollection(): Collect {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as Collect
}
