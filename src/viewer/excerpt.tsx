import { Fragment } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import type { ExcerptRow } from '../report/excerpt.js'
import type { LogLine } from '../report/log-excerpt.js'

/** The history around a violation, with the row that proves it in sight. */
export function Excerpt({ rows, title }: { rows: readonly ExcerptRow[]; title: string }) {
  return (
    <Scrolling title={title}>
      <table class="history">
        <caption class="hidden">{title}</caption>
        <thead>
          <tr>
            <th scope="col" class="number">
              ms
            </th>
            <th scope="col">what</th>
            <th scope="col">outcome</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Fragment key={`${row.time} ${row.what}`}>
              {row.skipped !== undefined && (
                <tr class="gap">
                  <td />
                  <td colSpan={2}>⋮ {row.skipped} more</td>
                </tr>
              )}
              <Row {...row} />
            </Fragment>
          ))}
        </tbody>
      </table>
    </Scrolling>
  )
}

function Row({ time, what, outcome, tone, isProof, isRelated }: ExcerptRow) {
  return (
    <tr class={[tone, isProof ? 'proof' : '', isRelated ? 'related' : ''].join(' ')}>
      <td class="number">{time.toFixed(1)}</td>
      <td colSpan={outcome === undefined ? 2 : 1}>
        {what}
        {isProof && <span class="hidden"> (this proves the violation)</span>}
      </td>
      {outcome !== undefined && <td class="outcome">{outcome}</td>}
    </tr>
  )
}

export function Log({ lines }: { lines: readonly LogLine[] }) {
  return (
    <Scrolling title="The target's log">
      <ol class="log">
        {lines.map(({ time, text, skipped }, index) => (
          <li key={`${index} ${text}`}>
            {skipped !== undefined && <p class="gap">⋮ {skipped} more</p>}
            {time !== undefined && <span class="number">{time.toFixed(1)}</span>} {text}
          </li>
        ))}
      </ol>
    </Scrolling>
  )
}

/** What is too high scrolls by itself, and the keyboard can get there. */
function Scrolling({ title, children }: { title: string; children: preact.ComponentChildren }) {
  const place = useRef<HTMLElement>(null)
  useEffect(() => {
    const element = place.current!
    const proof = element.querySelector<HTMLElement>('.proof')
    if (proof !== null) element.scrollTop = proof.offsetTop - element.clientHeight / 2
  }, [])
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: without it the keyboard could not scroll it
    <section ref={place} class="scrolls" aria-label={title} tabIndex={0}>
      {children}
    </section>
  )
}
