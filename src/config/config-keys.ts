import { z } from 'zod'
import { configSchema } from './schema.ts'

/** One configuration key: `mqtt.keepAliveMax` in files and `--flags`, `GRAPEVINE_MQTT__KEEP_ALIVE_MAX` in the environment. */
export interface ConfigKey {
  readonly path: string
  readonly variable: string
  readonly kind: 'text' | 'number' | 'boolean' | 'list'
  readonly description: string
  /** Allowed values of an enumeration. */
  readonly choices: readonly string[] | undefined
  /** Its value when nobody sets it; undefined when it is optional. */
  readonly defaultValue: unknown
  /** Never shown. */
  readonly secret: boolean
  readonly schema: z.ZodType
}

/** Every key, in the order of the schema. */
export function configKeys(): ConfigKey[] {
  return keysOf(configSchema, [])
}

function keysOf(section: z.ZodObject, prefix: readonly string[]): ConfigKey[] {
  return Object.entries(section.shape).flatMap(([name, schema]) => {
    const path = [...prefix, name]
    const inner = unwrap(schema as z.ZodType)
    return inner instanceof z.ZodObject ? keysOf(inner, path) : [keyOf(path, schema as z.ZodType, inner)]
  })
}

function keyOf(path: readonly string[], schema: z.ZodType, inner: z.ZodType): ConfigKey {
  const meta = schema.meta()
  return {
    path: path.join('.'),
    variable: `GRAPEVINE_${path.map(screamingSnakeCase).join('__')}`,
    kind: kindOf(inner),
    description: meta?.description ?? '',
    choices: inner instanceof z.ZodEnum ? inner.options.map(String) : undefined,
    defaultValue: schema.parse(undefined),
    secret: meta?.['secret'] === true,
    schema,
  }
}

function unwrap(schema: z.ZodType): z.ZodType {
  let inner = schema
  while (inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault || inner instanceof z.ZodOptional) {
    inner = inner.unwrap() as z.ZodType
  }
  return inner
}

function kindOf(schema: z.ZodType): ConfigKey['kind'] {
  if (schema instanceof z.ZodNumber) return 'number'
  if (schema instanceof z.ZodBoolean) return 'boolean'
  return schema instanceof z.ZodArray ? 'list' : 'text'
}

function screamingSnakeCase(camelCase: string): string {
  return camelCase.replace(/[A-Z]/g, letter => `_${letter}`).toUpperCase()
}
