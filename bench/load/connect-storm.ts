import { connect, type Socket } from 'node:net'
import { LatencyRecorder, type LatencySummary } from './latency-recorder.ts'
import { cpuSecondsOf, ownCpuSeconds } from './cpu-meter.ts'
import type { LoadTarget, LoadTiming } from './flow-spec.ts'
import { BrokerFault } from './load-connection.ts'
import { disconnectPacket, encodeConnect } from './mqtt-packets.ts'
import { createReceiveBuffer } from './receive-buffer.ts'

export interface ConnectStormSpec {
  /** Clients that arrive in one wave and stay until all have. */
  clients: number
  /** CONNECTs that may be unanswered at once. */
  window: number
}

export interface ConnectStormResult {
  connectsPerSecond: number
  waves: number
  /** From opening the socket to CONNACK. */
  latency: LatencySummary
  brokerCores: number
  loadCores: number
}

/**
 * Waves of clients with clean sessions, as after a network outage: each wave connects as fast as the window allows,
 * which is measured, and then disconnects, which is not. Throws `BrokerFault` on the first refused or broken
 * connection.
 */
export async function runConnectStorm(
  spec: ConnectStormSpec,
  target: LoadTarget,
  timing: LoadTiming,
): Promise<ConnectStormResult> {
  const latency = new LatencyRecorder()
  let seconds = 0
  let waves = 0
  let brokerCpu = 0
  let loadCpu = 0
  let wave = 0
  for (const start = performance.now(); performance.now() - start < timing.warmupMs; wave++) {
    await closeAll((await connectWave(spec, target, wave, latency)).sockets)
  }
  latency.measure(performance.now(), Number.POSITIVE_INFINITY)
  while (seconds < timing.measureMs / 1000) {
    const brokerBefore = cpuSecondsOf(target.pid)
    const loadBefore = ownCpuSeconds()
    const connected = await connectWave(spec, target, wave++, latency)
    brokerCpu += cpuSecondsOf(target.pid) - brokerBefore
    loadCpu += ownCpuSeconds() - loadBefore
    seconds += connected.seconds
    waves++
    await closeAll(connected.sockets)
  }
  return {
    connectsPerSecond: (waves * spec.clients) / seconds,
    waves,
    latency: latency.summary(),
    brokerCores: brokerCpu / seconds,
    loadCores: loadCpu / seconds,
  }
}

async function connectWave(
  spec: ConnectStormSpec,
  target: LoadTarget,
  wave: number,
  latency: LatencyRecorder,
): Promise<{ sockets: Socket[]; seconds: number }> {
  const { bytes } = createReceiveBuffer()
  const sockets: Socket[] = []
  const start = performance.now()
  await new Promise<void>((resolve, reject) => {
    let connected = 0
    const openNext = () => {
      const openedAt = performance.now()
      const clientId = `bench-storm-${wave}-${sockets.length}`
      let answered = false
      const socket = connect({
        port: target.port,
        host: '127.0.0.1',
        onread: {
          buffer: bytes,
          callback: () => {
            if (answered) return true
            answered = true
            if (bytes[0] !== 0x20 || bytes[3] !== 0)
              reject(new BrokerFault(`${clientId}: CONNECT was refused`))
            latency.chunkStart(performance.now())
            latency.record(openedAt)
            latency.chunkEnd()
            if (++connected === spec.clients) resolve()
            else if (sockets.length < spec.clients) openNext()
            return true
          },
        },
      })
      socket.write(encodeConnect({ version: target.version, clientId, cleanSession: true }))
      socket.on('error', error => {
        reject(new BrokerFault(`${clientId}: ${error.message}`))
      })
      socket.once('close', () => {
        if (!answered) reject(new BrokerFault(`${clientId}: closed without CONNACK`))
      })
      sockets.push(socket)
    }
    for (let i = 0; i < Math.min(spec.window, spec.clients); i++) openNext()
  })
  return { sockets, seconds: (performance.now() - start) / 1000 }
}

/** Sends DISCONNECT on all and waits until the broker has closed them; after 5 s they are destroyed. */
async function closeAll(sockets: Socket[]): Promise<void> {
  const forced = setTimeout(() => {
    for (const socket of sockets) socket.destroy()
  }, 5000)
  await Promise.all(
    sockets.map(async socket => {
      await new Promise<void>(resolve => {
        socket.once('close', () => {
          resolve()
        })
        socket.write(disconnectPacket)
      })
    }),
  )
  clearTimeout(forced)
}
