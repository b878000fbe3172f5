import assert from 'node:assert/strict'
import { LatencyRecorder } from '../../../bench/load/latency-recorder.ts'

function near(actual: number, expected: number): void {
  assert(Math.abs(actual - expected) <= expected * 0.002, `${actual} is not ${expected} to three digits`)
}

describe('LatencyRecorder', () => {
  it('gives the percentiles of known latencies', () => {
    const recorder = new LatencyRecorder()
    recorder.measure(0, 10_000)
    for (let ms = 1; ms <= 1000; ms++) {
      recorder.chunkStart(2000)
      recorder.record(2000 - ms)
      recorder.chunkEnd()
    }
    const { count, p50Ms, p99Ms, p999Ms, maxMs } = recorder.summary()
    assert.equal(count, 1000)
    near(p50Ms, 500)
    near(p99Ms, 990)
    near(p999Ms, 999)
    near(maxMs, 1000)
  })

  it('gives no percentile above the greatest latency', () => {
    const recorder = new LatencyRecorder()
    recorder.measure(0, Infinity)
    recorder.chunkStart(123.457)
    recorder.record(0)
    recorder.chunkEnd()
    const { p99Ms, maxMs } = recorder.summary()
    assert.equal(maxMs, 123.457)
    assert.equal(p99Ms, maxMs)
  })

  it('counts every message of a batch with one send time', () => {
    const recorder = new LatencyRecorder()
    recorder.measure(0, 100)
    recorder.chunkStart(20)
    for (let i = 0; i < 99; i++) recorder.record(10)
    recorder.record(19)
    recorder.chunkEnd()
    const { count, curve } = recorder.summary()
    assert.equal(count, 100)
    near(curve.find(([percentile]) => percentile === 0)?.[1] ?? 0, 1)
    near(curve.find(([percentile]) => percentile === 10)?.[1] ?? 0, 10)
  })

  it('leaves out what was sent before or after the measured window, however late it came', () => {
    const recorder = new LatencyRecorder()
    recorder.measure(100, 200)
    recorder.chunkStart(500)
    for (const sentAt of [99, 100, 199, 200]) recorder.record(sentAt)
    recorder.chunkEnd()
    const { count, maxMs } = recorder.summary()
    assert.equal(count, 2)
    near(maxMs, 400)
  })

  it('records latencies beyond a minute as a minute', () => {
    const recorder = new LatencyRecorder()
    recorder.measure(0, 1)
    recorder.chunkStart(500_000)
    recorder.record(0)
    recorder.chunkEnd()
    near(recorder.summary().maxMs, 60_000)
  })
})
