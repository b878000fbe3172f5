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
    let low = 0
    let high = Math.max(0, this.#blocks.length - 1)
    while (low < high) {
      const middle = (low + high) >> 1
      const block = this.#blocks[middle] as string[]
      if (compareUtf8(block[block.length - 1] as string, key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

function lowerBound(block: readonly string[], key: string): number {
  let low = 0
  let high = block.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (compareUtf8(block[middle] as string, key) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** Order of the UTF-8 bytes. It differs from that of UTF-16 units only where a surrogate meets U+E000–U+FFFF. */
function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const unitA = a.charCodeAt(i)
    const unitB = b.charCodeAt(i)
    if (unitA !== unitB) return codePointRank(unitA) - codePointRank(unitB)
  }
  return a.length - b.length
}

function codePointRank(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit
}
