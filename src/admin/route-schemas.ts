import { z } from 'zod'
import { errorSchema } from './status-schemas.ts'

type JsonSchema = Record<string, unknown>

/** A zod schema as the server validates and documents it. */
export function jsonSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' })
}

/** Response schemas by status. Every route may also answer with an error. */
export function answers(byStatus: Readonly<Record<number, z.ZodType>>): Record<string, JsonSchema> {
  return Object.fromEntries(
    Object.entries({ ...byStatus, '4xx': errorSchema, '5xx': errorSchema }).map(([status, schema]) => [
      status,
      z.toJSONSchema(schema, { target: 'openapi-3.0' }),
    ]),
  )
}

/** The body of every answer that is an error. */
export function errorBody(code: string, message: string): z.output<typeof errorSchema> {
  return { error: { code, message } }
}
