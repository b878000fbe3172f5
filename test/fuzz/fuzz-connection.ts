import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { MqttVersion } from '../support/raw-packet.ts'
import { Choices } from './choices.ts'
import { mutate } from './mutations.ts'
import { validSequence } from './valid-sequence.ts'

/** How long a connection may go on that the broker does not end. */
const lifeMs = 40

/** One hostile connection, as its seed has it: a mutated sequence, cut anywhere, and one of many ways to leave. */
export async function fuzzConnection(port: number, seed: number): Promise<void> {
  const choices = new Choices(seed)
  const version: MqttVersion = choices.pick([4, 5])
  const packets = validSequence(choices, version)
  if (choices.chance(0.95)) mutate(packets, choices, version)
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: choices.chance(0.2) })
  // Being thrown out is what happens to such clients.
  socket.on('error', () => {})
  const closed = once(socket, 'close').catch(() => undefined)
  if (choices.chance(0.85)) socket.resume() // else it never reads
  await sendInPieces(socket, Buffer.concat(packets), choices)
  const leave = choices.pick([leaveAtOnce, leaveWithReset, leaveHalf, stayAWhile])
  await leave(socket, closed)
  socket.destroy()
}

async function sendInPieces(socket: Socket, bytes: Buffer, choices: Choices): Promise<void> {
  const pieces = choices.pick([1, 1, 3, 10])
  let offset = 0
  for (let left = pieces; left > 0 && !socket.destroyed; left--) {
    const end = left === 1 ? bytes.length : offset + choices.below(bytes.length - offset)
    socket.write(bytes.subarray(offset, end))
    offset = end
    if (left > 1) await new Promise(setImmediate)
  }
}

type Leave = (socket: Socket, closed: Promise<unknown>) => Promise<void>

const leaveAtOnce: Leave = async socket => {
  socket.destroy()
}

const leaveWithReset: Leave = async (socket, closed) => {
  await atMost(lifeMs / 4, closed)
  socket.resetAndDestroy()
}

const leaveHalf: Leave = async (socket, closed) => {
  socket.end()
  await atMost(lifeMs, closed)
}

const stayAWhile: Leave = async (_socket, closed) => {
  await atMost(lifeMs, closed)
}

async function atMost(ms: number, closed: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise(resolve => (timer = setTimeout(resolve, ms)))
  await Promise.race([closed, late])
  clearTimeout(timer)
}
