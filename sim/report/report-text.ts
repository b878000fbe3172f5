import type { Cell, Report, Section, Table } from './report.ts'

/** The report as lines for a terminal: words and tables; charts are left out. Ends without a line break. */
export function reportText(report: Report): string {
  return [`${report.title}\n${report.subtitle}`, ...report.sections.map(sectionText)].join('\n\n')
}

/** Widest line of prose; tables are as wide as they are. */
const PROSE_COLUMNS = 100

function sectionText({ heading, prose, tables = [] }: Section): string {
  const parts = [`── ${heading} ${'─'.repeat(Math.max(0, PROSE_COLUMNS - heading.length - 4))}`]
  if (prose !== undefined) parts.push(...prose.split('\n').map(wrapped))
  for (const table of tables) parts.push(tableText(table))
  return parts.join('\n')
}

/** First the caption, then the columns two blanks apart, figures to the right, notes of cells below. */
function tableText({ caption, columns, rows }: Table): string {
  const notes: string[] = []
  const texts = [
    columns.map(({ heading }) => heading),
    ...rows.map(row => columns.map((_, column) => cellText(row[column] ?? '', notes))),
  ]
  const widths = columns.map((_, column) => Math.max(...texts.map(row => widthOf(row[column] ?? ''))))
  const lines = texts.map(row =>
    row
      .map((text, column) => {
        const padding = ' '.repeat((widths[column] ?? 0) - widthOf(text))
        return columns[column]?.isNumeric === true ? padding + text : text + padding
      })
      .join('  ')
      .trimEnd(),
  )
  lines.splice(1, 0, widths.map(width => '─'.repeat(width)).join('  '))
  return ['', ...(caption === undefined ? [] : [caption]), ...lines, ...notes].join('\n')
}

const marks = { good: '✓', warn: '!', bad: '✗' } as const

function cellText(cell: Cell, notes: string[]): string {
  if (typeof cell === 'string') return printable(cell)
  const text = `${marks[cell.verdict]} ${printable(cell.text)}`
  if (cell.note === undefined) return text
  const note = printable(cell.note)
  const found = notes.findIndex(line => line.endsWith(`) ${note}`))
  const number = found === -1 ? notes.push(`  ${notes.length + 1}) ${note}`) : found + 1
  return `${text} ${number})`
}

function wrapped(paragraph: string): string {
  const lines: string[] = []
  let line = ''
  for (const word of printable(paragraph).split(' ')) {
    if (line !== '' && line.length + 1 + word.length > PROSE_COLUMNS) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line].join('\n')
}

/** Names come from scenario files: control characters are written out. */
function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    character => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  )
}

/** In columns: what we write is one each, but for signs beyond the basic plane. */
function widthOf(text: string): number {
  return Array.from(text).length
}
