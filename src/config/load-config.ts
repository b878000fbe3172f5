import { GrapevineError } from '../core/errors.ts'
import { readConfigFile } from './config-file.ts'
import { configKeys, type ConfigKey } from './config-keys.ts'
import { crossFieldFaults, type ConfigFault } from './cross-field-rules.ts'
import { unknownVariables } from './environment.ts'
import { configSchema, type NodeConfig } from './schema.ts'

/** Where configuration comes from; an earlier one wins: flags, env, file, presets, the schema's defaults. */
export interface ConfigSources {
  /** Path of a YAML file. */
  readonly file?: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  /** By dotted key; texts as typed, lists comma separated. */
  readonly flags: Readonly<Record<string, string | boolean | undefined>>
  /** For keys whose flag has another name in a command: `mqtt.port` → `--port`. */
  readonly flagNames?: ReadonlyMap<string, string>
  /** What a command sets unless somebody says otherwise, by dotted key. */
  readonly presets?: Readonly<Record<string, unknown>>
}

/** `origins` says for each dotted key where its value came from: `flag --mqtt.port`, `file x.yaml line 3`, `default` … */
export interface LoadedConfig {
  readonly config: NodeConfig
  readonly origins: ReadonlyMap<string, string>
}

/** A `LoadedConfig` whose keys are fine one by one, and the rules they break together, one line each. */
export interface ResolvedConfig extends LoadedConfig {
  readonly crossFaults: readonly string[]
}

interface SourcedValue {
  readonly value: unknown
  readonly origin: string
}

/** Throws CONFIG_INVALID with every fault, one a line, each with its path and source; CONFIG_FILE_UNREADABLE. */
export async function loadConfig(sources: ConfigSources): Promise<LoadedConfig> {
  const { config, origins, crossFaults } = await resolveConfig(sources)
  if (crossFaults.length > 0) throw invalid(crossFaults)
  return { config, origins }
}

/** As `loadConfig`, but faults between keys are returned: the values can still be shown. */
export async function resolveConfig(sources: ConfigSources): Promise<ResolvedConfig> {
  const keys = configKeys()
  const faults: string[] = []
  const values = new Map<string, unknown>()
  const origins = new Map<string, string>()
  const spoiled = new Set<string>()

  const fromFile = await fileValues(sources.file, keys, faults)
  for (const key of keys) {
    const candidates = [
      ...textValue(
        key,
        sources.flags[key.path],
        `flag ${sources.flagNames?.get(key.path) ?? `--${key.path}`}`,
      ),
      ...textValue(key, sources.env[key.variable], `variable ${key.variable}`),
      ...(fromFile.get(key.path) ?? []),
      ...presetValue(sources.presets, key.path),
    ]
    // A mistake is reported even where another source overrides it: it would strike when that one goes.
    for (const { value, origin } of candidates) {
      const fault = keyFault(key, value)
      if (fault === undefined) continue
      faults.push(`${key.path} (${origin}): ${fault}`)
      spoiled.add(key.path)
    }
    const winner = candidates[0] ?? { value: key.defaultValue, origin: 'default' }
    values.set(key.path, spoiled.has(key.path) ? key.defaultValue : winner.value)
    origins.set(key.path, winner.origin)
  }
  faults.push(...unknownVariables(sources.env, keys))

  const config = configSchema.parse(nest(values))
  const crossFaults = crossFieldFaults(config)
    .filter(({ path }) => !spoiled.has(path))
    .map(fault => describeCross(fault, origins))
  if (faults.length > 0) throw invalid([...faults, ...crossFaults])
  return { config, origins, crossFaults }
}

function invalid(faults: readonly string[]): GrapevineError {
  const count = faults.length === 1 ? '1 mistake' : `${faults.length} mistakes`
  return new GrapevineError(
    'CONFIG_INVALID',
    [`the configuration has ${count}:`, ...faults.map(fault => `  ${fault}`)].join('\n'),
  )
}

function describeCross({ path, message }: ConfigFault, origins: ReadonlyMap<string, string>): string {
  return `${path} (${origins.get(path) ?? 'default'}): ${message}`
}

async function fileValues(
  file: string | undefined,
  keys: readonly ConfigKey[],
  faults: string[],
): Promise<Map<string, SourcedValue[]>> {
  const values = new Map<string, SourcedValue[]>()
  if (file === undefined) return values
  const known = new Set(keys.map(({ path }) => path))
  const isSection = (path: string): boolean => keys.some(key => key.path.startsWith(`${path}.`))
  for (const { path, value, line } of await readConfigFile(file, isSection)) {
    const origin = `file ${file} line ${line}`
    if (known.has(path)) values.set(path, [{ value, origin }])
    else if (path === '') faults.push(`(${origin}): expected a mapping of sections like "mqtt:"`)
    else if (isSection(path)) faults.push(`${path} (${origin}): expected a mapping, it is ${show(value)}`)
    else faults.push(`${path} (${origin}): unknown key; \`grapevine config print\` lists all keys`)
  }
  return values
}

function textValue(key: ConfigKey, text: string | boolean | undefined, origin: string): SourcedValue[] {
  if (text === undefined) return []
  return [{ value: typeof text === 'string' ? coerce(key, text.trim()) : text, origin }]
}

function presetValue(presets: ConfigSources['presets'], path: string): SourcedValue[] {
  const value = presets?.[path]
  return value === undefined ? [] : [{ value, origin: 'default of this command' }]
}

/** The value a text means; a text that means none stays a text, which the schema then refuses. */
function coerce({ kind }: ConfigKey, text: string): unknown {
  switch (kind) {
    case 'number':
      return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text
    case 'list':
      return text === '' ? [] : text.split(',').map(item => item.trim())
    case 'text':
      return text
  }
}

function keyFault(key: ConfigKey, value: unknown): string | undefined {
  // `key:` without a value is null in YAML; the schema would take undefined as "use the default".
  const result = key.schema.safeParse(value ?? null)
  if (result.success) return undefined
  const reasons = result.error.issues.map(({ message, path }) =>
    path.length > 0 ? `[${path.join('.')}] ${message}` : message,
  )
  const shown = key.secret ? '' : `, it is ${show(value)}`
  return `${reasons.join('; ').replace(/^Invalid (input|option): /, '')}${shown}`
}

function show(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined
  return text === undefined ? 'nothing' : text.length > 60 ? `${text.slice(0, 60)}…` : text
}

function nest(values: ReadonlyMap<string, unknown>): Record<string, unknown> {
  const root: Record<string, unknown> = {}
  for (const [path, value] of values) {
    const names = path.split('.')
    let section = root
    for (const name of names.slice(0, -1)) section = (section[name] ??= {}) as Record<string, unknown>
    section[names.at(-1) ?? path] = value
  }
  return root
}
