import { say } from './faults.ts'

export interface ProgressBar {
  /** How much is done, from 0 to 1. */
  show(share: number): void
  /** Takes the bar away. */
  close(): void
}

/** What is over sooner needs no bar. */
const PATIENCE_MS = 2000
const WIDTH = 30
/** Where nothing can be redrawn, a line so often. */
const LINE_EVERY_MS = 15_000

/** A bar on stderr for work that takes long, with the time that is left; lines now and then when stderr is no terminal. */
export function progressBar(what: string, stream: NodeJS.WriteStream = process.stderr): ProgressBar {
  const startMs = performance.now()
  let lastLineMs = -Infinity
  let isDrawn = false
  return {
    show(share) {
      const nowMs = performance.now()
      if (nowMs - startMs < PATIENCE_MS) return
      const percent = `${Math.floor(share * 100)} %`
      if (!stream.isTTY) {
        if (nowMs - lastLineMs < LINE_EVERY_MS) return
        lastLineMs = nowMs
        say(`${what}: ${percent}`)
        return
      }
      const full = Math.round(share * WIDTH)
      const left = share > 0.02 ? `, ${leftText(((nowMs - startMs) / share) * (1 - share))}` : ''
      stream.write(`\r\u001b[K${what} ${'█'.repeat(full)}${'░'.repeat(WIDTH - full)} ${percent}${left}`)
      isDrawn = true
    },
    close() {
      if (isDrawn) stream.write('\r\u001b[K')
      isDrawn = false
    },
  }
}

function leftText(ms: number): string {
  const seconds = Math.ceil(ms / 1000)
  return seconds < 90 ? `${seconds} s left` : `${Math.ceil(seconds / 60)} min left`
}
