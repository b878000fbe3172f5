import assert from 'node:assert/strict'
import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32c } from '@node-rs/crc32'
import { Level } from 'level'
import { GrapevineError } from '../../src/core/errors.ts'
import { findLogDamage } from '../../src/storage/level-log-check.ts'
import { parseLog } from '../../src/storage/level-log.ts'
import { openLevelStore, temporaryDir } from './harnesses.ts'

/** LevelDB's block, bytes. */
const BLOCK = 32 * 1024
const SECTOR = 512

describe('findLogDamage', function () {
  this.timeout(60_000)
  let dir: string
  let file: string
  /** The log as LevelDB wrote it: small records, and one over several blocks. */
  let log: Buffer

  beforeEach(async () => {
    dir = await temporaryDir()
    const database = new Level<string, Uint8Array>(dir, { valueEncoding: 'view' })
    for (let i = 0; i < 20; i++) await database.put(`small ${i}`, Buffer.alloc(60, `value ${i}`))
    await database.put('large', Buffer.alloc(2 * BLOCK, 'large'))
    for (let i = 0; i < 20; i++) await database.put(`later ${i}`, Buffer.alloc(1000, `value ${i}`))
    await database.close()
    file = await onlyLog()
    log = await readFile(join(dir, file))
  })
  afterEach(() => rm(dir, { recursive: true }))

  it('finds nothing in a log that was written in peace', async () => {
    assert.equal(await damage(), undefined)
  })

  it('finds every flipped bit of the log, where its record begins', () => {
    for (const { start, end } of recordStarts(log)) {
      // Each bit of each header, and of the payload some and the last.
      const headerBytes = Array.from({ length: 7 }, (_, i) => start + i)
      const payloadBytes = [start + 7, start + 8, (start + end) >> 1, end - 2, end - 1]
      for (const at of [...headerBytes, ...payloadBytes]) {
        for (let bit = 0; bit < 8; bit++) {
          const flip = (): void => {
            log[at] = (log[at] ?? 0) ^ (1 << bit)
          }
          flip()
          const { brokenAt, isTorn } = parseLog(log)
          assert.deepEqual(
            { brokenAt, isTorn },
            { brokenAt: start, isTorn: false },
            `bit ${bit} of byte ${at}`,
          )
          flip()
        }
      }
    }
  })

  it('takes the log cut off anywhere for what a crash leaves', async () => {
    const ends = new Set(recordStarts(log).map(({ start }) => start))
    // Every length near the end, some of the others.
    for (let length = 0; length < log.length; length += length > log.length - 1500 ? 1 : 211) {
      const { brokenAt, isTorn } = parseLog(log.subarray(0, length))
      assert.ok(isTorn, `${length} bytes`)
      if (!ends.has(length)) assert.notEqual(brokenAt, undefined, `${length} bytes`)
    }
    await truncate(join(dir, file), log.length - 10)
    assert.equal(await damage(), undefined)
  })

  it('takes zeros from any sector of the last record on for what a crash leaves', async () => {
    const last = recordStarts(log).at(-1) ?? assert.fail()
    for (let from = Math.ceil(last.start / SECTOR) * SECTOR; from < log.length; from += SECTOR) {
      await writeFile(join(dir, file), Buffer.from(log).fill(0, from))
      assert.equal(await damage(), undefined, `from ${from}`)
    }
    for (const zeros of [1, 6, 7, 500, 3 * BLOCK]) {
      await writeFile(join(dir, file), Buffer.concat([log, Buffer.alloc(zeros)]))
      assert.equal(await damage(), undefined, `${zeros} more`)
    }
  })

  it('takes a header of which only the first sector was written for what a crash leaves', () => {
    const first = fullRecord(508)
    for (const written of [first.length, SECTOR]) {
      const torn = Buffer.concat([first, fullRecord(600)]).fill(0, written)
      const { brokenAt, isTorn } = parseLog(torn)
      assert.deepEqual({ brokenAt, isTorn }, { brokenAt: first.length, isTorn: true })
    }
  })

  it('finds a flipped bit in a last record that fills its sector', () => {
    const whole = Buffer.concat([fullRecord(100), fullRecord(SECTOR - 100)])
    assert.equal(parseLog(whole).brokenAt, undefined)
    whole[SECTOR - 1] = 0x79
    assert.equal(parseLog(whole).isTorn, false)
  })

  it('finds zeros, garbage and removed bytes in the middle', async () => {
    const { start, end } = recordStarts(log)[10] ?? assert.fail()
    for (const changed of [
      Buffer.from(log).fill(0, start, end),
      Buffer.from(log).fill(0xa5, start, end),
      Buffer.from(log).fill(0, SECTOR, 2 * SECTOR),
      Buffer.concat([log.subarray(0, start), log.subarray(end - 1)]),
    ]) {
      await writeFile(join(dir, file), changed)
      assert.match((await damage()) ?? '', /not as it was written/)
    }
  })

  it('finds garbage at the end, which no crash leaves', async () => {
    await writeFile(join(dir, file), Buffer.concat([log, Buffer.from('garbage, longer than a header')]))
    assert.match((await damage()) ?? '', new RegExp(`${file}.* byte ${log.length} `))
  })

  it('finds a fragment without the rest of its write', async () => {
    const large = recordStarts(log).filter(({ type }) => type !== 1)
    assert.deepEqual(
      large.map(({ type }) => type),
      [2, 3, 4],
    )
    // Whole blocks, so that every record that is left is sound in itself.
    const withoutMiddleAndLast = Buffer.concat([log.subarray(0, BLOCK), log.subarray(0, BLOCK)])
    const withoutFirst = log.subarray(BLOCK)
    for (const changed of [withoutMiddleAndLast, withoutFirst]) {
      await writeFile(join(dir, file), changed)
      assert.match((await damage()) ?? '', /not as it was written/)
    }
  })

  it('finds a log unfinished that another one follows, unless that one is empty', async () => {
    await writeFile(join(dir, file), log.subarray(0, -10))
    const next = join(dir, '999999.log')
    await writeFile(next, '')
    assert.equal(await damage(), undefined)
    await writeFile(next, log)
    assert.match((await damage()) ?? '', new RegExp(file))
  })

  it('does not look at logs that LevelDB has done with', async () => {
    await writeFile(join(dir, '000001.log'), 'garbage, longer than a header')
    assert.equal(await damage(), undefined)
  })

  it('finds that the log is missing', async () => {
    await rm(join(dir, file))
    assert.equal(await damage(), `its file ${file} is missing`)
  })

  it('finds flipped bits of the manifest', async () => {
    const manifest = await manifestFile()
    const edits = await readFile(join(dir, manifest))
    for (let at = 0; at < edits.length; at++) {
      const changed = Buffer.from(edits)
      changed[at] = (changed[at] ?? 0) ^ 0x10
      await writeFile(join(dir, manifest), changed)
      assert.match((await damage()) ?? '', new RegExp(manifest), `byte ${at}`)
    }
  })

  it('is why a store does not open: STORE_CORRUPT, in one line, and nothing on the disk has changed', async () => {
    const changed = Buffer.from(log)
    changed[200] = (changed[200] ?? 0) ^ 1
    await writeFile(join(dir, file), changed)
    const before = (await readdir(dir)).sort()
    await assert.rejects(openLevelStore(dir), (error: unknown) => {
      assert.ok(error instanceof GrapevineError)
      assert.equal(error.code, 'STORE_CORRUPT')
      assert.match(error.message, new RegExp(`${file} is not as it was written, from byte \\d+ on.*restore`))
      assert.ok(error.message.includes(dir))
      assert.ok(!error.message.includes('\n'))
      return true
    })
    assert.deepEqual((await readdir(dir)).sort(), before)
    assert.deepEqual(await readFile(join(dir, file)), changed)
  })

  it('finds nothing in a log of 32 MB, and tells how fast', async () => {
    const size = 32 * 1024 * 1024
    const database = new Level<string, Uint8Array>(dir, { valueEncoding: 'view', writeBufferSize: 2 * size })
    for (let i = 0; i < 32; i++) await database.put(`k${i}`, Buffer.alloc(size / 32, i))
    await database.close()
    const beganMs = performance.now()
    assert.equal(await damage(), undefined)
    const megabytesPerSecond = (size / (performance.now() - beganMs)) * 1e-3
    console.log(`        ${megabytesPerSecond.toFixed(0)} MB/s`)
  })

  async function damage(): Promise<string | undefined> {
    return findLogDamage(dir, await manifestFile(), await readdir(dir))
  }

  async function manifestFile(): Promise<string> {
    return (await readFile(join(dir, 'CURRENT'), 'utf8')).trimEnd()
  }

  async function onlyLog(): Promise<string> {
    const logs = (await readdir(dir)).filter(name => name.endsWith('.log'))
    assert.equal(logs.length, 1)
    return logs[0] ?? assert.fail()
  }
})

/** A whole record of so many bytes. */
function fullRecord(byteCount: number): Buffer {
  const record = Buffer.alloc(byteCount, 'x')
  record.writeUInt16LE(byteCount - 7, 4)
  record.writeUInt8(1, 6)
  const crc = crc32c(record.subarray(6))
  record.writeUInt32LE((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0, 0)
  return record
}

/** Where the records of a sound log are; read by length only. */
function recordStarts(log: Buffer): { start: number; end: number; type: number }[] {
  const starts: { start: number; end: number; type: number }[] = []
  for (let at = 0; at < log.length;) {
    const left = BLOCK - (at % BLOCK)
    if (left < 7) {
      at += left
      continue
    }
    const end = at + 7 + log.readUInt16LE(at + 4)
    starts.push({ start: at, end, type: log.readUInt8(at + 6) })
    at = end
  }
  return starts
}
