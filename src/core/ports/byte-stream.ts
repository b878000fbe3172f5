/**
 * One client's connection below MQTT: TCP, TLS or WebSocket, or an in-memory pair in tests and simulations.
 *
 * Ordering: bytes arrive and leave in order. Loss: only by the end of the stream. After `onClose` nothing is called.
 */
export interface ByteStream {
  /** `address:port` of the other end, for logs. */
  readonly remote: string
  /** Takes the bytes; they must not change until `pendingBytes` is 0. False: buffered beyond its mark, `onDrain` will follow. */
  write(bytes: Uint8Array): boolean
  /** Bytes written but not yet handed to the operating system. 0 right after a `write`: its buffer may be reused. */
  readonly pendingBytes: number
  /** Stops and resumes `onData`. */
  pause(): void
  resume(): void
  /** Sends what was written, then closes. */
  end(): void
  /** Closes at once. */
  destroy(): void
  /** Set once, before the first event. */
  listen(listener: ByteStreamListener): void
}

export interface ByteStreamListener {
  /** The chunk belongs to the listener. */
  onData(chunk: Uint8Array): void
  onDrain(): void
  /** Once; `error` is a one-line reason when it was not an orderly end. */
  onClose(error: string | undefined): void
}
