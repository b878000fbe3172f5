import type {
  CoordinationEntry,
  CoordinationOperationResult,
  CoordinationTransactionResult,
} from '../../src/core/ports/coordination-store.ts'

/** Wire types of protobuf. */
const VARINT = 0
const FIXED64 = 1
const DELIMITED = 2
const FIXED32 = 5

const NONE = new Uint8Array()
const PUT: CoordinationOperationResult = { type: 'put' }

/**
 * What a TxnResponse of etcd says, in protobuf; the counterpart of `encodeTxnRequest`. It makes only the objects that are
 * answered. Numbers of fields are those of etcd's `rpc.proto`. Throws when it is none.
 */
export function decodeTxnResponse(bytes: Buffer): CoordinationTransactionResult {
  const revision = readRevision(new Reader(bytes), bytes.length)
  return readTransaction(new Reader(bytes), bytes.length, revision)
}

/** That of the store, from the header; nested responses tell none. */
function readRevision(reader: Reader, end: number): number {
  while (reader.at < end) {
    if (reader.field() !== 1) {
      reader.skip()
      continue
    }
    const headerEnd = reader.end()
    while (reader.at < headerEnd) {
      if (reader.field() === 3) return reader.number()
      reader.skip()
    }
  }
  throw new Error('a response of etcd tells no revision')
}

function readTransaction(reader: Reader, end: number, revision: number): CoordinationTransactionResult {
  const results: CoordinationOperationResult[] = []
  let succeeded = false
  while (reader.at < end) {
    const field = reader.field()
    if (field === 2) succeeded = reader.number() !== 0
    else if (field === 3) results.push(readResult(reader, reader.end(), revision))
    else reader.skip()
  }
  return { succeeded, revision, results }
}

function readResult(reader: Reader, end: number, revision: number): CoordinationOperationResult {
  const field = reader.field()
  const innerEnd = reader.end()
  if (innerEnd === end) {
    if (field === 1) return { type: 'get', entry: readFound(reader, end) }
    if (field === 3) return { type: 'delete', deleted: readDeleted(reader, end) }
    if (field === 4) return { type: 'transaction', result: readTransaction(reader, end, revision) }
    if (field === 2) {
      reader.at = end
      return PUT
    }
  }
  throw new Error('a response of etcd holds an operation that is not known')
}

/** The first entry of a RangeResponse; undefined when there is none. */
function readFound(reader: Reader, end: number): CoordinationEntry | undefined {
  let found: CoordinationEntry | undefined
  while (reader.at < end) {
    if (reader.field() === 2 && found === undefined) found = readEntry(reader, reader.end())
    else reader.skip()
  }
  return found
}

function readEntry(reader: Reader, end: number): CoordinationEntry {
  let value: Uint8Array = NONE
  const entry = { key: '', createRevision: 0, modRevision: 0, leaseId: '0' }
  while (reader.at < end) {
    const field = reader.field()
    if (field === 1) entry.key = reader.binary().toString()
    else if (field === 2) entry.createRevision = reader.number()
    else if (field === 3) entry.modRevision = reader.number()
    else if (field === 5) value = reader.binary()
    else if (field === 6) entry.leaseId = reader.longNumber()
    else reader.skip()
  }
  return { ...entry, value }
}

function readDeleted(reader: Reader, end: number): number {
  let deleted = 0
  while (reader.at < end) {
    if (reader.field() === 2) deleted = reader.number()
    else reader.skip()
  }
  return deleted
}

/** Protobuf fields, one after another. Every method throws where the bytes end too early. */
class Reader {
  /** Offset of the next byte. */
  at = 0
  readonly #bytes: Buffer
  #wireType = VARINT

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** The number of the next field, which is to be read or skipped then. */
  field(): number {
    const tag = this.number()
    this.#wireType = tag & 7
    return tag >>> 3
  }

  /** An integer from 0 to 2^53. */
  number(): number {
    let value = 0
    for (let unit = 1; ; unit *= 0x80) {
      const byte = this.#byte()
      value += (byte & 0x7f) * unit
      if (byte < 0x80) return value
    }
  }

  /** An int64, as decimal text. */
  longNumber(): string {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.#byte()
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return String(BigInt.asIntN(64, value))
    }
  }

  binary(): Buffer {
    const end = this.end()
    const start = this.at
    this.at = end
    return this.#bytes.subarray(start, end)
  }

  /** Where the message that begins here ends. */
  end(): number {
    const length = this.number()
    const end = this.at + length
    if (this.#wireType !== DELIMITED || end > this.#bytes.length) throw cutShort()
    return end
  }

  skip(): void {
    if (this.#wireType === VARINT) this.number()
    else if (this.#wireType === DELIMITED) this.at = this.end()
    else if (this.#wireType === FIXED64) this.at += 8
    else if (this.#wireType === FIXED32) this.at += 4
    else throw cutShort()
  }

  #byte(): number {
    const byte = this.#bytes[this.at]
    if (byte === undefined) throw cutShort()
    this.at++
    return byte
  }
}

function cutShort(): Error {
  return new Error('a response of etcd is cut short')
}
