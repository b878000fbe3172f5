const BLOCK_KEYS_MAX = 512

/**
 * A set of strings kept in the order of their UTF-8 bytes, as etcd orders keys. Blocks of bounded size, so that an
 * insertion among millions moves a few hundred references at most.
 */
export class SortedKeys {
  /** Never empty blocks, each sorted, each wholly before the next. */
  readonly #blocks: string[][] = []

  add(key: string): void {
    const at = this.#blockOf(key)
    const block = this.#blocks[at]
    if (block === undefined) {
      this.#blocks.push([key])
      return
    }
    const index = lowerBound(block, key)
    if (block[index] === key) return
    block.splice(index, 0, key)
    if (block.length > BLOCK_KEYS_MAX) this.#blocks.splice(at + 1, 0, block.splice(BLOCK_KEYS_MAX >> 1))
  }

  delete(key: string): void {
    const at = this.#blockOf(key)
    const block = this.#blocks[at]
    if (block === undefined) return
    const index = lowerBound(block, key)
    if (block[index] !== key) return
    block.splice(index, 1)
    if (block.length === 0) this.#blocks.splice(at, 1)
  }

  /** Keys that start with `prefix`, in order. */
  *withPrefix(prefix: string): Iterable<string> {
    for (let at = this.#blockOf(prefix); at < this.#blocks.length; at++) {
      const block = this.#blocks[at] as string[]
      for (let index = lowerBound(block, prefix); index < block.length; index++) {
        const key = block[index] as string
        if (!key.startsWith(prefix)) return
        yield key
      }
    }
  }

  /** Index of the first block whose last key is not before `key`; the last block when all are before. */
  #blockOf(key: string): number {
    const blocks = this.#blocks
    const first = blocks[0]
    if (first === undefined) return 0
    let low = 0
    let high = blocks.length - 1
    const from = alike(lastOf(first), lastOf(blocks[high] as string[]), key)
    while (low < high) {
      const middle = (low + high) >> 1
      if (compareUtf8(lastOf(blocks[middle] as string[]), key, from) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

function lastOf(block: readonly string[]): string {
  return block[block.length - 1] as string
}

function lowerBound(block: readonly string[], key: string): number {
  let low = 0
  let high = block.length
  const from = alike(block[0] as string, lastOf(block), key)
  while (low < high) {
    const middle = (low + high) >> 1
    if (compareUtf8(block[middle] as string, key, from) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** How many units `key` and everything in order from `first` to `last` begin alike with. */
function alike(first: string, last: string, key: string): number {
  const length = Math.min(first.length, last.length, key.length)
  for (let i = 0; i < length; i++) {
    const unit = key.charCodeAt(i)
    if (first.charCodeAt(i) !== unit || last.charCodeAt(i) !== unit) return i
  }
  return length
}

/**
 * Order of the UTF-8 bytes of two strings that begin with `from` equal units. It differs from that of UTF-16 units only where a
 * surrogate meets U+E000–U+FFFF.
 */
function compareUtf8(a: string, b: string, from: number): number {
  const length = Math.min(a.length, b.length)
  for (let i = from; i < length; i++) {
    const unitA = a.charCodeAt(i)
    const unitB = b.charCodeAt(i)
    if (unitA !== unitB) return codePointRank(unitA) - codePointRank(unitB)
  }
  return a.length - b.length
}

function codePointRank(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit
}
