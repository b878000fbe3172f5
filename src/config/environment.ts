import type { ConfigKey } from './config-keys.ts'

const SERVICE_LINK = /_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/

/** One fault per `GRAPEVINE_` variable that is no key: a misspelt one must not be ignored silently. */
export function unknownVariables(
  env: Readonly<Record<string, string | undefined>>,
  keys: readonly ConfigKey[],
): string[] {
  const known = new Set(keys.map(({ variable }) => variable))
  return Object.entries(env)
    .filter(
      ([name, value]) => name.startsWith('GRAPEVINE_') && !known.has(name) && !isServiceLink(name, value),
    )
    .map(
      ([name]) =>
        `${name} (variable): unknown; sections are parted by two underscores, as in GRAPEVINE_MQTT__KEEP_ALIVE_MAX`,
    )
}

/** Kubernetes sets such variables for a service named "grapevine"; they are not meant for us. */
function isServiceLink(name: string, value: string | undefined): boolean {
  return SERVICE_LINK.test(name) || (name.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(value ?? ''))
}
