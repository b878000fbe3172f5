import type {
  CoordinationCompare,
  CoordinationOperation,
  CoordinationTransaction,
} from '../../src/core/ports/coordination-store.ts'

/** Numbers of fields and enumerators are those of etcd's `rpc.proto`. */
const RESULTS = { equal: 0, greater: 1, less: 2, notEqual: 3 } as const
const TARGETS = {
  createRevision: { target: 1, field: 5 },
  modRevision: { target: 2, field: 6 },
} as const
const OPERATION_FIELDS = { get: 1, put: 2, delete: 3, transaction: 4 } as const

const VARINT = 0
const DELIMITED = 2

/**
 * etcd's TxnRequest for a transaction, in protobuf.
 *
 * A node claims tens of thousands of sessions a second, and a general encoder makes some thirty objects of each. This one makes
 * none: it writes from the end to the beginning, so that how long a part has become is known where its length stands.
 */
export function encodeTxnRequest(transaction: CoordinationTransaction): Buffer {
  const writer = new BackwardWriter()
  writeTransaction(writer, transaction)
  return writer.bytes()
}

function writeTransaction(
  writer: BackwardWriter,
  { compare, success, failure }: CoordinationTransaction,
): void {
  writeOperations(writer, failure, 3)
  writeOperations(writer, success, 2)
  for (let i = compare.length - 1; i >= 0; i--) {
    const end = writer.length
    writeCompare(writer, compare[i] as CoordinationCompare)
    writer.head(1, end)
  }
}

function writeCompare(writer: BackwardWriter, { key, target, is, revision }: CoordinationCompare): void {
  const { target: targetNumber, field } = TARGETS[target]
  writer.number(field, revision)
  writer.text(3, key)
  writer.number(2, targetNumber)
  writer.number(1, RESULTS[is])
}

function writeOperations(
  writer: BackwardWriter,
  operations: readonly CoordinationOperation[],
  field: number,
): void {
  for (let i = operations.length - 1; i >= 0; i--) {
    const operation = operations[i] as CoordinationOperation
    const end = writer.length
    if (operation.type === 'transaction') {
      writeTransaction(writer, operation.transaction)
    } else {
      if (operation.type === 'put') {
        if (operation.leaseId !== undefined) writer.number(3, operation.leaseId)
        writer.binary(2, operation.value)
      }
      writer.text(1, operation.key)
    }
    writer.head(OPERATION_FIELDS[operation.type], end)
    writer.head(field, end)
  }
}

/** Protobuf fields, each put before what has been written so far. */
class BackwardWriter {
  #buffer = Buffer.allocUnsafe(4096)
  /** Where the first byte written is. */
  #start = this.#buffer.length

  /** Of what has been written. */
  get length(): number {
    return this.#buffer.length - this.#start
  }

  bytes(): Buffer {
    return this.#buffer.subarray(this.#start)
  }

  /** An integer ≥ 0; as decimal text where it may be over 2^53. */
  number(field: number, value: number | string): void {
    if (typeof value === 'number') this.#varint(value)
    else this.#longVarint(BigInt(value))
    this.#tag(field, VARINT)
  }

  text(field: number, value: string): void {
    const bytes = Buffer.byteLength(value)
    const at = this.#take(bytes)
    this.#buffer.write(value, at, bytes)
    this.#varint(bytes)
    this.#tag(field, DELIMITED)
  }

  binary(field: number, value: Uint8Array): void {
    const at = this.#take(value.length)
    this.#buffer.set(value, at)
    this.#varint(value.length)
    this.#tag(field, DELIMITED)
  }

  /** Makes what was written since the length was `end` a message in that field. */
  head(field: number, end: number): void {
    this.#varint(this.length - end)
    this.#tag(field, DELIMITED)
  }

  /** All fields here have numbers below 16. */
  #tag(field: number, wireType: number): void {
    const at = this.#take(1)
    this.#buffer[at] = (field << 3) | wireType
  }

  #varint(value: number): void {
    let size = 1
    for (let bound = 0x80; value >= bound; bound *= 0x80) size++
    let at = this.#take(size)
    let rest = value
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#buffer[at++] = (rest % 0x80) | 0x80
    this.#buffer[at] = rest
  }

  #longVarint(value: bigint): void {
    const groups: number[] = []
    let rest = value
    for (; rest >= 0x80n; rest >>= 7n) groups.push(Number(rest & 0x7fn) | 0x80)
    groups.push(Number(rest))
    const at = this.#take(groups.length)
    this.#buffer.set(groups, at)
  }

  /** Offset of so many bytes before what has been written. */
  #take(count: number): number {
    if (count > this.#start) this.#grow(count)
    this.#start -= count
    return this.#start
  }

  #grow(count: number): void {
    const { length } = this
    const grown = Buffer.allocUnsafe(Math.max(2 * this.#buffer.length, length + count))
    const start = grown.length - length
    this.#buffer.copy(grown, start, this.#start)
    this.#buffer = grown
    this.#start = start
  }
}
