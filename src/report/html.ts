/**
 * The report as one page that needs nothing else: the viewer (src/viewer, made into one text by the build), and in it
 * the data, deflated, in base64. That has no character that means anything to HTML, so nothing that a target wrote
 * can end the element that it stands in.
 */
import { deflateRawSync } from 'node:zlib'
import { pageOf } from './page-data.js'
import type { RunResult } from './result.js'
import { VIEWER } from './viewer-page.js'

export function renderHtml(run: RunResult): string {
  const data = deflateRawSync(JSON.stringify(pageOf(run)), { level: 9 }).toString('base64')
  return VIEWER.join(data)
}
