import type { Socket } from 'node:net'

/** How long a peer may take to read the last bytes and to close its side. */
export const CLOSE_TIMEOUT_MS = 3000

/** Destroys a socket that is being closed and still there after `CLOSE_TIMEOUT_MS`, whatever it does until then. */
export function closeDeadline(socket: Socket): NodeJS.Timeout {
  return setTimeout(destroy, CLOSE_TIMEOUT_MS, socket).unref()
}

function destroy(socket: Socket): void {
  socket.destroy()
}
