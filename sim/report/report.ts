/**
 * What a simulator command found, as a document: made once, shown as text on a terminal and as one HTML page with plots.
 * It holds values and words only; `report-text.ts` and `report-page.ts` decide how they look.
 */

export interface Report {
  readonly title: string
  /** What was asked: the scenario in one line. */
  readonly subtitle: string
  readonly sections: readonly Section[]
}

export interface Section {
  readonly heading: string
  /** Sentences that say what the reader sees and what follows from it. */
  readonly prose?: string
  readonly tables?: readonly Table[]
  /** Left out of the text form. */
  readonly charts?: readonly Chart[]
}

export interface Table {
  readonly caption?: string
  readonly columns: readonly { readonly heading: string; readonly isNumeric?: boolean }[]
  readonly rows: readonly (readonly Cell[])[]
}

/** A cell with a verdict is coloured, and marked in text too: colour alone says nothing to some readers. */
export type Cell =
  string | { readonly text: string; readonly verdict: 'good' | 'warn' | 'bad'; readonly note?: string }

export type Chart = LineChart | BarChart | HeatMap

interface Axis {
  /** With its unit. */
  readonly label: string
  readonly isLogarithmic?: boolean
}

/** Curves over a common axis: distributions, time lines. */
export interface LineChart {
  readonly kind: 'lines'
  readonly title: string
  readonly x: Axis
  readonly y: Axis
  readonly series: readonly {
    readonly name: string
    readonly points: readonly (readonly [x: number, y: number])[]
  }[]
  /** Spans of x to shade, such as a partition. */
  readonly spans?: readonly { readonly from: number; readonly to: number; readonly label: string }[]
}

/** Bars per category, next to each other or on top of one another. */
export interface BarChart {
  readonly kind: 'bars'
  readonly title: string
  readonly categories: readonly string[]
  readonly y: Axis
  readonly isStacked?: boolean
  readonly series: readonly { readonly name: string; readonly values: readonly number[] }[]
  /** Lines across: what must not be exceeded. */
  readonly limits?: readonly { readonly value: number; readonly label: string }[]
}

/** A value per pair of settings. */
export interface HeatMap {
  readonly kind: 'heat'
  readonly title: string
  readonly x: { readonly label: string; readonly values: readonly string[] }
  readonly y: { readonly label: string; readonly values: readonly string[] }
  /** By y, then x; undefined: not run. */
  readonly values: readonly (readonly (number | undefined)[])[]
  readonly unit: string
}
