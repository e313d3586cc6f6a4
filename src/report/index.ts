import { renderDots } from './dot.js'
import { renderGithub } from './github.js'
import type { Style } from './grid.js'
import { renderHtml } from './html.js'
import { jsonReport } from './json.js'
import { renderJunit } from './junit.js'
import { renderMarkdown } from './markdown.js'
import type { RunResult } from './result.js'
import { renderTable } from './table.js'

/** Turns the result of a run into text. */
export type Reporter = (run: RunResult, style: Style) => string

/** Every reporter there is, by the name that --reporter takes. */
export const REPORTERS = {
  table: renderTable,
  json: (run) => `${JSON.stringify(jsonReport(run), null, 2)}\n`,
  junit: renderJunit,
  github: renderGithub,
  markdown: renderMarkdown,
  dot: renderDots,
  html: renderHtml,
} as const satisfies Readonly<Record<string, Reporter>>

export type ReporterName = keyof typeof REPORTERS
