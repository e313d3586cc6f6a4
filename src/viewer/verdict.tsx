import type { VerdictName } from '../report/result.js'

export const VERDICTS = [
  'passed',
  'failed',
  'inconclusive',
  'error',
  'skipped',
] as const satisfies VerdictName[]

const SYMBOLS: Readonly<Record<VerdictName, string>> = {
  passed: '✓',
  failed: '✕',
  inconclusive: '?',
  error: '!',
  skipped: '–',
}

/** A verdict's sign, beside which its name stands: colour alone tells nothing. */
export function VerdictMark({ verdict }: { verdict: VerdictName }) {
  return (
    <span class={`mark ${verdict}`} aria-hidden="true">
      {SYMBOLS[verdict]}
    </span>
  )
}
