import type { NodeConfig } from './schema.ts'

/** A mistake in the configuration. `path` is the dotted key it is about. */
export interface ConfigFault {
  readonly path: string
  readonly message: string
}

/** The rules that concern more than one key; each fault is reported at the key to change. */
export function crossFieldFaults(config: NodeConfig): ConfigFault[] {
  return [
    ...leaseFaults(config),
    ...etcdFaults(config),
    ...listenerFaults(config),
    ...tlsFaults(config),
    ...exposureFaults(config),
    ...drainFaults(config),
  ]
}

function drainFaults({ sessions: { serverMoved, serverReference } }: NodeConfig): ConfigFault[] {
  if (!serverMoved || serverReference !== undefined) return []
  return [
    { path: 'sessions.serverReference', message: 'is required with serverMoved: where has it moved to?' },
  ]
}

function leaseFaults({
  coordination: { leaseTtlMs, renewIntervalMs, leaseMarginMs },
}: NodeConfig): ConfigFault[] {
  const needed = renewIntervalMs * 2 + leaseMarginMs
  if (needed < leaseTtlMs) return []
  return [
    {
      path: 'coordination.leaseTtlMs',
      message:
        `${leaseTtlMs} leaves no room for a failed renewal: it must be above ` +
        `2 × renewIntervalMs (${renewIntervalMs}) + leaseMarginMs (${leaseMarginMs}) = ${needed}`,
    },
  ]
}

function etcdFaults({ coordination: { etcd } }: NodeConfig): ConfigFault[] {
  const faults: ConfigFault[] = []
  const add = (key: keyof typeof etcd, message: string): void =>
    void faults.push({ path: `coordination.etcd.${key}`, message })
  for (const endpoint of etcd.endpoints) {
    if (/^https?:\/\/[^/?#@]+:\d+\/?$/.test(endpoint)) continue
    add('endpoints', `${endpoint} must be scheme, host and port and nothing else, like https://etcd-1:2379`)
  }
  const secure = etcd.endpoints.filter(endpoint => endpoint.startsWith('https:')).length
  if (secure > 0 && secure < etcd.endpoints.length) {
    add('endpoints', 'some are http and some https; give all of them with https, or none')
  }
  for (const key of ['caFile', 'certFile', 'keyFile'] as const) {
    if (secure === 0 && etcd[key] !== undefined) {
      add(key, 'is set, but the endpoints are http, so nothing would be encrypted; give them with https')
    }
  }
  for (const [key, other] of [
    ['certFile', 'keyFile'],
    ['keyFile', 'certFile'],
    ['username', 'passwordFile'],
    ['passwordFile', 'username'],
  ] as const) {
    if (etcd[key] !== undefined && etcd[other] === undefined) add(other, `is required with ${key}`)
  }
  return faults
}

function listenerFaults(config: NodeConfig): ConfigFault[] {
  const { mqtt, mesh, admin } = config
  const listeners = [
    { path: 'mqtt', ...mqtt },
    { path: 'mqtt.tls', ...mqtt.tls },
    { ...mqtt.ws, path: 'mqtt.ws' },
    { ...mqtt.wss, path: 'mqtt.wss' },
    { path: 'mesh', ...mesh },
    { path: 'admin', ...admin },
  ]
  return listeners.flatMap((later, index) =>
    listeners
      .slice(0, index)
      .filter(earlier => collide(earlier, later))
      .map(earlier => ({
        path: `${later.path}.port`,
        message: `${later.port} is also ${earlier.path}.port; two listeners cannot share one port, choose another`,
      })),
  )
}

interface ListenAddress {
  readonly host: string
  readonly port?: number | undefined
}

function tlsFaults({ mqtt: { tls, wss } }: NodeConfig): ConfigFault[] {
  const user = tls.port !== undefined ? 'mqtt.tls.port' : wss.port !== undefined ? 'mqtt.wss.port' : undefined
  if (user === undefined) return []
  return (['certFile', 'keyFile'] as const)
    .filter(key => tls[key] === undefined)
    .map(key => ({ path: `mqtt.tls.${key}`, message: `${user} is set, so a PEM file is required` }))
}

function collide(a: ListenAddress, b: ListenAddress): boolean {
  if (a.port === undefined || a.port === 0 || a.port !== b.port) return false
  return a.host === b.host || isWildcard(a.host) || isWildcard(b.host)
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

function exposureFaults({ admin, auth }: NodeConfig): ConfigFault[] {
  const faults: ConfigFault[] = []
  if (admin.token === undefined && !isLoopback(admin.host)) {
    faults.push({
      path: 'admin.token',
      message: `admin.host ${admin.host} can be reached from other machines, so a token is required; set admin.token, or admin.host to 127.0.0.1`,
    })
  }
  if (!auth.anonymous && auth.scram.file === undefined) {
    faults.push({
      path: 'auth.anonymous',
      message:
        'nobody could connect: this version authenticates clients by SCRAM-SHA-256 only; set auth.scram.file, ' +
        'or auth.anonymous to true to let everyone in who reaches the MQTT port',
    })
  }
  return faults
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}
