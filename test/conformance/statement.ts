/** Whom a normative statement of an MQTT specification binds. */
export type Binds = 'server' | 'client' | 'both' | 'neither'

export const specifications = ['5.0', '3.1.1'] as const
export type Specification = (typeof specifications)[number]

/** One normative statement. `requires` is our paraphrase, never the specification's text. */
export interface Statement {
  /** As the specification writes it, without brackets: `MQTT-3.1.2-1`. Unique within one specification only. */
  readonly id: string
  readonly binds: Binds
  readonly requires: string
}

const row = /^(\d+\.\d+\.\d+-\d+) +(server|client|both|neither) +(\S.*)$/

/** Reads a table of lines `3.1.2-1 server What it requires`; throws on a line of another form or a repeated id. */
export function parseStatements(table: string): readonly Statement[] {
  const seen = new Set<string>()
  return table
    .trim()
    .split('\n')
    .map(line => {
      const [, number, binds, requires] = row.exec(line) ?? []
      if (number === undefined || binds === undefined || requires === undefined) {
        throw new Error(`not a statement: ${line}`)
      }
      if (seen.has(number)) throw new Error(`two statements have the id MQTT-${number}`)
      seen.add(number)
      return { id: `MQTT-${number}`, binds: binds as Binds, requires }
    })
}
