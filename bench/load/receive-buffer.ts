/**
 * The one buffer into which all sockets of the load process read. Sharing is safe because libuv reads and calls
 * back in one go, and a scanner never keeps a reference to what it was shown.
 */
export interface ReceiveBuffer {
  bytes: Buffer
  view: DataView
}

/** Large enough for one read to take what a busy socket holds, small enough for the processor's cache. */
const receiveBytes = 128 * 1024

export function createReceiveBuffer(): ReceiveBuffer {
  const bytes = Buffer.alloc(receiveBytes)
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) }
}
