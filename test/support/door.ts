/**
 * A process inside a host of a `NetworkLab` that lets the test in: `door.ts <socket path> <port> …` listens on each Unix socket
 * and joins every connection with that port of the host's loopback. Ends with its standard input.
 */
import { connect, createServer } from 'node:net'

const pairs = process.argv.slice(2)
for (let i = 0; i + 1 < pairs.length; i += 2) {
  const port = Number(pairs[i + 1])
  const server = createServer({ allowHalfOpen: false }, outside => {
    const inside = connect(port, '127.0.0.1')
    const end = (): void => {
      outside.destroy()
      inside.destroy()
    }
    for (const socket of [outside, inside]) socket.on('error', end).on('close', end)
    outside.pipe(inside)
    inside.pipe(outside)
  })
  server.listen(pairs[i], () => process.stdout.write(`open ${pairs[i] ?? ''}\n`))
}
process.stdin.resume().on('end', () => process.exit())
