import ts from 'typescript'
import type { Specification } from './statement.ts'

/**
 * Finds the normative ids in the titles of mocha tests. A title writes a statement of MQTT 5.0 as `[MQTT-3.1.2-1]` and one of
 * MQTT 3.1.1 as `[MQTT-3.1.2-1 v3.1.1]`: the two specifications give the same numbers to different statements.
 *
 * It reads source text and never runs it. A test that does not run (`it.skip`, `xit`, no body, a skipped `describe`) is
 * not found, so it covers nothing.
 */
export interface ScannedTest {
  /** As given to `scanTests`. */
  readonly file: string
  /** Without its ids; `…` stands for what a template fills in, unless that is its end. */
  readonly title: string
  readonly statements: readonly StatementReference[]
  /** What begins as an id and is none, in the title's own words. */
  readonly malformed: readonly string[]
}

export interface StatementReference {
  readonly specification: Specification
  readonly id: string
}

const bracketed = /\[(MQTT[^\]]*)\]/g
const wellFormed = /^(MQTT-\d+\.\d+\.\d+-\d+)( v3\.1\.1)?$/
const testFunctions = new Set(['it', 'specify', 'test'])
const suiteFunctions = new Set(['describe', 'context', 'suite'])

/** Every test of one source file whose title names a statement, in the order of the file. */
export function scanTests(file: string, source: string): ScannedTest[] {
  const found: ScannedTest[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      const called = calledFunction(node.expression)
      if (called !== undefined && suiteFunctions.has(called.name) && called.modifier === 'skip') return
      if (called !== undefined && testFunctions.has(called.name)) {
        const title = textOf(node.arguments[0])
        const runs = called.modifier !== 'skip' && node.arguments.length > 1
        if (runs && title !== undefined) {
          const test = readTitle(file, title)
          if (test !== undefined) found.push(test)
        }
        return
      }
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(file, source, ts.ScriptTarget.Latest, false))
  return found
}

/** `it` and `skip` of `it.skip(…)`; `xit` is `it.skip`. */
function calledFunction(expression: ts.Expression): { name: string; modifier?: string } | undefined {
  if (ts.isIdentifier(expression)) {
    const isSkipped = expression.text.startsWith('x')
    return isSkipped ? { name: expression.text.slice(1), modifier: 'skip' } : { name: expression.text }
  }
  if (ts.isPropertyAccessExpression(expression) && ts.isIdentifier(expression.expression)) {
    return { name: expression.expression.text, modifier: expression.name.text }
  }
  return undefined
}

function textOf(node: ts.Expression | undefined): string | undefined {
  if (node === undefined) return undefined
  if (ts.isStringLiteralLike(node)) return node.text
  if (ts.isTemplateExpression(node)) {
    return node.head.text + node.templateSpans.map(span => `…${span.literal.text}`).join('')
  }
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    return `${textOf(node.left) ?? '…'}${textOf(node.right) ?? '…'}`
  }
  return undefined
}

function readTitle(file: string, title: string): ScannedTest | undefined {
  const statements: StatementReference[] = []
  const malformed: string[] = []
  for (const [whole, inside] of title.matchAll(bracketed)) {
    const [, id, old] = wellFormed.exec(inside as string) ?? []
    if (id === undefined) malformed.push(whole)
    else statements.push({ specification: old === undefined ? '5.0' : '3.1.1', id })
  }
  if (statements.length === 0 && malformed.length === 0) return undefined
  return {
    file,
    title: title.replaceAll(bracketed, '').replace(/\s+/g, ' ').replace(/ …$/, '').trim(),
    statements,
    malformed,
  }
}
