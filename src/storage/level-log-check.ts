import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemErrorCode } from '../core/errors.ts'
import { parseLog, type LogContent } from './level-log.ts'

const LOG_FILE = /^\d+\.log$/

/**
 * Looks for damage in the logs that LevelDB would replay, and in its manifest (also a log): what LevelDB would skip without a
 * word, with the batches in it. An unfinished write at the end of the last log is what a crash leaves and no damage; so a log
 * that somebody cut off there cannot be told from a crash.
 *
 * `files`: what the directory holds. It only reads. The answer names file and offset and completes "the store is damaged (…)";
 * undefined when all is well.
 */
export async function findLogDamage(
  dir: string,
  manifest: string,
  files: readonly string[],
): Promise<string | undefined> {
  const edits = await readLog(dir, manifest)
  if (edits === undefined) return undefined // LevelDB says what is wrong with its manifest
  if (edits.brokenAt !== undefined && !edits.isTorn) return damaged(manifest, edits.brokenAt)
  const oldest = replayedFrom(edits.writes)
  if (oldest > 0) {
    const file = `${String(oldest).padStart(6, '0')}.log`
    const isThere = await access(join(dir, file)).then(
      () => true,
      () => false,
    )
    if (!isThere) return `its file ${file} is missing`
  }
  const logs = files.filter(file => LOG_FILE.test(file) && numberOf(file) >= oldest)
  let tornBefore: string | undefined
  for (const file of logs.sort((a, b) => numberOf(a) - numberOf(b))) {
    const log = await readLog(dir, file)
    if (log === undefined) continue
    // A log is begun when everything before it has been written.
    if (tornBefore !== undefined && log.writes.length > 0) return tornBefore
    if (log.brokenAt === undefined) continue
    if (!log.isTorn) return damaged(file, log.brokenAt)
    tornBefore ??= damaged(file, log.brokenAt)
  }
  return undefined
}

function damaged(file: string, offset: number): string {
  return `its file ${file} is not as it was written, from byte ${offset} on`
}

function numberOf(file: string): number {
  return Number.parseInt(file, 10)
}

/** Undefined for a file that cannot be read: LevelDB reports it, or the process that has the store open just removed it. */
async function readLog(dir: string, file: string): Promise<LogContent | undefined> {
  try {
    return parseLog(await readFile(join(dir, file)))
  } catch (error) {
    if (systemErrorCode(error) !== undefined) return undefined
    throw error
  }
}

/** Tags of the fields of a manifest's edits. */
const fields = {
  comparator: 1,
  logNumber: 2,
  nextFile: 3,
  lastSequence: 4,
  compactPointer: 5,
  deletedFile: 6,
  newFile: 7,
  previousLog: 9,
} as const

/** Number of the oldest log that LevelDB replays; 0 when the manifest does not say. */
function replayedFrom(edits: readonly (readonly Uint8Array[])[]): number {
  let oldest = 0
  for (const fragments of edits) oldest = logNumberOf(Buffer.concat(fragments)) ?? oldest
  return oldest
}

/** The log number an edit sets; undefined when it sets none, or when LevelDB will not understand it. */
function logNumberOf(edit: Buffer): number | undefined {
  let at = 0
  const number = (): number => {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = edit[at++] ?? 0
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
  }
  const skipText = (): void => {
    const length = number()
    at += length
  }
  let logNumber: number | undefined
  while (at < edit.length) {
    switch (number()) {
      case fields.logNumber:
        logNumber = number()
        break
      case fields.nextFile:
      case fields.lastSequence:
      case fields.previousLog:
        number()
        break
      case fields.comparator:
        skipText()
        break
      case fields.compactPointer:
        number()
        skipText()
        break
      case fields.deletedFile:
        number()
        number()
        break
      case fields.newFile:
        for (let i = 0; i < 3; i++) number()
        skipText()
        skipText()
        break
      default:
        return undefined
    }
  }
  return logNumber
}
