import { createServer, type AddressInfo } from 'node:net'

/** Ports on 127.0.0.1 that were free a moment ago, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const ports = await Promise.all(
    servers.map(
      async server =>
        await new Promise<number>((resolve, reject) => {
          server.once('error', reject)
          server.listen(0, '127.0.0.1', () => {
            resolve((server.address() as AddressInfo).port)
          })
        }),
    ),
  )
  await Promise.all(
    servers.map(
      async server =>
        await new Promise<void>(resolve => {
          server.close(() => {
            resolve()
          })
        }),
    ),
  )
  return ports
}
