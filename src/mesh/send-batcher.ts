import type { MessageStream } from '@libp2p/interface'

type Data = Parameters<MessageStream['send']>[0]

/** What one noise message holds; more than one of them at once gains nothing. */
const BATCH_BYTES_MAX = 65_519
/** From this size on data is not copied. */
const LARGE_BYTES = 16 * 1024

/**
 * Sends what is sent on `stream` within one callback of the event loop as one contiguous message, at the end of that callback.
 *
 * `hold` is shown each message that is one piece, in order, and may keep it back. Order is kept, and so is what `send` answers, except
 * that the first messages after a full buffer may still be told to go on: what they hand over is buffered below as before. Invariant:
 * after an answer of `false` a drain follows.
 * Data handed over must not be written to afterwards. What waits when the stream closes for good is lost with it.
 */
export function batchSends(stream: MessageStream, hold: (message: Uint8Array) => boolean): void {
  const send = stream.send.bind(stream)
  const close = stream.close.bind(stream)
  let parts: Data[] = []
  let bytes = 0
  let isFlushDue = false
  let isWritable = true

  const flush = (): void => {
    isFlushDue = false
    if (bytes === 0) return
    const batch = joined(parts, bytes)
    parts = []
    bytes = 0
    if (stream.status !== 'open') return
    try {
      isWritable = send(batch)
    } catch (error) {
      // Nobody is left whom it could be told but by the end of the stream.
      stream.abort(error instanceof Error ? error : new Error(String(error)))
    }
  }

  stream.send = data => {
    // It asks for no room. What was last heard of it may be long past: told that there is none, all streams would wait for a
    // drain that has been.
    if (data instanceof Uint8Array && hold(data)) return true
    if (bytes + data.byteLength > BATCH_BYTES_MAX) flush()
    // Unwritable, it is the stream's to say when it takes more, or that it is closed.
    if (!isWritable || stream.status !== 'open') {
      flush()
      return (isWritable = send(data))
    }
    parts.push(data)
    bytes += data.byteLength
    if (data.byteLength >= LARGE_BYTES) {
      flush()
    } else if (!isFlushDue) {
      isFlushDue = true
      queueMicrotask(flush)
    }
    return isWritable
  }
  stream.close = async options => {
    flush()
    await close(options)
  }
}

/** Has each message of `stream` written at once: below, every piece of one would be a system call of its own. */
export function sendWhole(stream: MessageStream): void {
  const send = stream.send.bind(stream)
  stream.send = data =>
    send(
      data instanceof Uint8Array || data.byteLength >= LARGE_BYTES ? data : joined([data], data.byteLength),
    )
}

function joined(parts: readonly Data[], bytes: number): Data {
  const [only] = parts
  if (parts.length === 1 && only !== undefined && (only instanceof Uint8Array || bytes >= LARGE_BYTES))
    return only
  const whole = new Uint8Array(bytes)
  let at = 0
  for (const part of parts) {
    for (const piece of part instanceof Uint8Array ? [part] : part) {
      whole.set(piece, at)
      at += piece.length
    }
  }
  return whole
}
