/** A process of its own, so that its file descriptors can be few: listens, prints its URL, and echoes. */
import { listen } from '../../../src/listeners/listen.ts'
import { testComponents } from './components.ts'

const listener = await listen({ protocol: 'mqtt', host: '127.0.0.1', port: 0 }, testComponents(), stream => {
  stream.listen({ onData: chunk => stream.write(chunk), onDrain: () => {}, onClose: () => {} })
})
process.stdout.write(`${listener.url}\n`)
process.stdin.resume().on('end', () => process.exit()) // goes when the test goes
