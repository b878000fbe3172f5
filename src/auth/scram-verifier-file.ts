import { readFile, stat } from 'node:fs/promises'
import { errorMessage, GrapevineError, systemErrorCode } from '../core/errors.ts'
import { saslPrepared } from './saslprep.ts'
import { parseVerifier, type ScramVerifier } from './scram-verifier.ts'

/** A line that begins the verifier; a user name may have colons itself. */
const VERIFIER_MARK = ':SCRAM-SHA-256$'
/** Some 400,000 users. */
const FILE_BYTES_MAX = 64 * 1024 * 1024

/**
 * Reads `auth.scram.file`: UTF-8, one `<user name>:<verifier>` per line with the verifier as PostgreSQL writes it (see
 * `formatVerifier`); empty lines and lines that begin with `#` mean nothing. The result is by prepared user name.
 *
 * All or nothing: throws AUTH_FILE_INVALID for a file that cannot be read and for the first broken line, which it names
 * without quoting it.
 */
export async function loadScramVerifiers(file: string): Promise<ReadonlyMap<string, ScramVerifier>> {
  const verifiers = new Map<string, ScramVerifier>()
  const lineOf = new Map<string, number>()
  let number = 0
  for (const bytes of linesOf(await contentsOf(file))) {
    number++
    const line = textOf(bytes)
    if (line === undefined) throw lineError(file, number, 'it is not UTF-8')
    if (line.trim() === '' || line.startsWith('#')) continue
    const entry = parseEntry(line)
    if (typeof entry === 'string') throw lineError(file, number, entry)
    const earlier = lineOf.get(entry.username)
    if (earlier !== undefined) throw lineError(file, number, `the user is on line ${earlier} already`)
    lineOf.set(entry.username, number)
    verifiers.set(entry.username, entry.verifier)
  }
  return verifiers
}

function parseEntry(line: string): { username: string; verifier: ScramVerifier } | string {
  const mark = line.lastIndexOf(VERIFIER_MARK)
  if (mark === -1) return `expected <user name>${VERIFIER_MARK}<iterations>:<salt>$<StoredKey>:<ServerKey>`
  const name = line.slice(0, mark)
  if (name !== name.trim()) return 'there is white space around the user name'
  const username = saslPrepared(name)
  if (username === undefined) return 'the user name is empty or has control characters'
  const verifier = parseVerifier(line.slice(mark + 1))
  return typeof verifier === 'string' ? verifier : { username, verifier }
}

async function contentsOf(file: string): Promise<Buffer> {
  try {
    const stats = await stat(file)
    if (!stats.isFile()) throw new Error('it is not a regular file')
    if (stats.size > FILE_BYTES_MAX) throw new Error(`it is larger than ${FILE_BYTES_MAX} bytes`)
    return await readFile(file)
  } catch (error) {
    const reason = systemErrorCode(error) === 'ENOENT' ? 'there is no such file' : errorMessage(error)
    throw new GrapevineError(
      'AUTH_FILE_INVALID',
      `cannot read the SCRAM verifiers ${file}: ${reason}; no user can log in by them, correct auth.scram.file or the file`,
      { cause: error },
    )
  }
}

function* linesOf(contents: Buffer): Generator<Buffer> {
  for (let start = 0; start < contents.length;) {
    const newline = contents.indexOf(0x0a, start)
    const end = newline === -1 ? contents.length : newline
    yield contents.subarray(start, contents[end - 1] === 0x0d && end > start ? end - 1 : end)
    start = end + 1
  }
}

/** Without a byte order mark, as some editors put one first; undefined when it is not UTF-8. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function lineError(file: string, line: number, fault: string): GrapevineError {
  return new GrapevineError(
    'AUTH_FILE_INVALID',
    `${file} line ${line}: ${fault}; nothing of the file is used until the line is corrected`,
  )
}
