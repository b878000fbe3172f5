import { createServer } from 'node:net'
import { Aedes } from 'aedes'

/** A plain Aedes broker with its in-memory persistence on 127.0.0.1; prints `ready` when it listens. */
const aedes = await Aedes.createBroker()
const server = createServer({ noDelay: true }, socket => {
  aedes.handle(socket)
})
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 8192 }, () => {
  process.stdout.write('ready\n')
})
