import { writeSync } from 'node:fs'
import type { StoreOperation } from '../../src/core/ports/store.ts'
import { openLevelStore } from './harnesses.ts'
import type { SyncMode } from '../../src/storage/level-store.ts'

/*
 * Run as a process of its own: `level-store-child.ts DIR SYNC [COMMITS]`. Appends batches without end, two keys each, and prints a
 * line `committed N` for every commit; kills itself (SIGKILL) at once after COMMITS of them; `failed CODE`, and ends, when a write fails.
 */
const [dir = '', sync = 'batch', commits] = process.argv.slice(2)
let commitsLeft = Number(commits ?? Infinity)
// A file size limit reached shows as a failed write instead of killing the process.
process.on('SIGXFSZ', () => undefined)
const store = await openLevelStore(dir, sync as SyncMode)
// To the file descriptor itself: what was printed is out before the next thing happens.
store.onCommitted(upTo => {
  writeSync(1, `committed ${upTo}\n`)
  if (--commitsLeft === 0) process.kill(process.pid, 'SIGKILL')
})
store.onFailed(error => {
  writeSync(1, `failed ${'code' in error ? String(error.code) : ''}\n`)
  let thrown: unknown
  try {
    store.append(batch(store.appended + 1))
  } catch (reason) {
    thrown = reason
  }
  writeSync(1, `append throws ${thrown === error ? 'the failure' : 'something else'}\n`)
  store.flush().then(
    () => writeSync(1, 'flush resolves\n'),
    () => writeSync(1, 'flush rejects\n'),
  )
  void store.close().then(() => {
    writeSync(1, 'closed\n')
    process.exit(0)
  })
})

function batch(sequence: number): StoreOperation[] {
  // Incompressible enough to fill files.
  const value = Buffer.from(Array.from({ length: 200 }, (_, i) => (sequence * 31 + i * i) & 0xff))
  return [
    { type: 'put', key: `left/${sequence}`, value },
    { type: 'put', key: `right/${sequence}`, value },
  ]
}

function appendSome(): void {
  if (store.appended - store.committed > 1000) return
  for (let i = 0; i < 20; i++) store.append(batch(store.appended + 1))
}

setInterval(() => {
  try {
    appendSome()
  } catch {
    // Told by onFailed.
  }
}, 1)
