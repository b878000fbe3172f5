import { writeFile } from 'node:fs/promises'
import type { Report } from '../../../../sim/report/report.ts'
import { say } from '../../faults.ts'

export interface ReportArguments {
  readonly json: boolean
  readonly html: string | undefined
}

/** Of every simulator command that ends in a report. */
export const reportOptions = {
  json: { type: 'boolean', default: false, describe: 'one JSON document on stdout in place of the tables' },
  html: {
    type: 'string',
    requiresArg: true,
    describe: 'file for the report as one page with plots, which opens offline',
  },
} as const

/** Tables or the document on stdout, and the page in its file. */
export async function writeReport(
  { json, html }: ReportArguments,
  report: Report,
  document: object,
): Promise<void> {
  if (html !== undefined) {
    const { reportPage } = await import('../../../../sim/report/report-page.ts')
    await writeFile(html, reportPage(report))
  }
  if (json) console.log(JSON.stringify(document, undefined, 2))
  else {
    const { reportText } = await import('../../../../sim/report/report-text.ts')
    console.log(reportText(report))
  }
  if (html !== undefined) say(`the report with plots is in ${html}`)
}
