import { isUtf8 } from 'node:buffer'

/** Whether [start, end) is an MQTT UTF-8 string: well-formed, no surrogates, no U+0000 [MQTT-1.5.4-1] [MQTT-1.5.4-2]. */
export function isMqttString(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const byte = bytes[i] as number
    if (byte === 0) return false
    if (byte >= 0x80) return isUtf8(bytes.subarray(i, end)) && !bytes.subarray(i, end).includes(0)
  }
  return true
}

/** Decodes [start, end), which `isMqttString` accepted. */
export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string {
  return asBuffer(bytes).toString('utf8', start, end)
}

/** The same bytes as a Buffer, not copied. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
