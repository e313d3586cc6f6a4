import { useEffect, useRef } from 'preact/hooks'
import type { PageTrial } from '../report/page.js'
import { CopyLine } from './copy-line.js'
import { Excerpt, Log } from './excerpt.js'
import { Picture } from './picture.js'
import { VerdictMark } from './verdict.js'

interface Props {
  trial: PageTrial
  isOpen: boolean
  toggle(): void
}

export function TrialItem({ trial, isOpen, toggle }: Props) {
  const { id, verdict, durationMs, operations, reason, violations } = trial
  const item = useRef<HTMLLIElement>(null)
  useEffect(() => {
    if (isOpen) item.current?.scrollIntoView({ block: 'start' })
  }, [isOpen])
  const kinds = [...new Set(violations.map(({ kind }) => kind))].join(', ')
  return (
    <li ref={item} id={id} class={isOpen ? 'open' : ''}>
      <h3>
        <button
          type="button"
          class="opens"
          aria-expanded={isOpen}
          aria-controls={`of-${id}`}
          onClick={toggle}
        >
          <span class="verdict">
            <VerdictMark verdict={verdict} /> {verdict}
          </span>
          <span class="id">{id}</span>
          <span class="time">{(durationMs / 1000).toFixed(1)} s</span>
          <span class="why">{kinds || reason || (operations && operationsInWords(operations))}</span>
        </button>
      </h3>
      {isOpen && (
        <div class="trial" id={`of-${id}`}>
          <TrialView trial={trial} />
        </div>
      )}
    </li>
  )
}

function TrialView({ trial }: { trial: PageTrial }) {
  const { timeline, replay, kept, reason, evidence, operations, waived } = trial
  return (
    <>
      <div class="sights">
        {timeline === undefined ? (
          <p class="dim">There is no picture of this trial: it did not run, or an earlier version kept it.</p>
        ) : (
          <Picture timeline={timeline} />
        )}
      </div>
      <div class="words">
        {reason !== undefined && <p class="reason">{reason}</p>}
        <Violations trial={trial} />
        <Part title="Replay">
          <CopyLine text={replay} />
          {kept.map((sentence) => (
            <p key={sentence}>{sentence}</p>
          ))}
        </Part>
        {operations !== undefined && (
          <Part title="What it did">
            <p>{operationsInWords(operations)}</p>
            <p>
              {evidence === ''
                ? 'There is no evidence that a fault reached the target.'
                : `Evidence: ${evidence}`}
            </p>
            {waived.map((sentence) => (
              <p key={sentence}>Waived by the contract: {sentence}</p>
            ))}
          </Part>
        )}
        <Details trial={trial} />
      </div>
    </>
  )
}

function Violations({ trial: { violations, details } }: { trial: PageTrial }) {
  if (violations.length === 0) return null
  return (
    <Part title={violations.length === 1 ? 'The violation' : `${violations.length} violations`}>
      <ol class="violations">
        {violations.map(({ kind, severity, summary, known }, index) => (
          <li key={`${kind} ${summary}`}>
            <strong class={severity}>{kind}</strong>{' '}
            <span class="dim">
              {severity}
              {known === undefined ? '' : `, known: ${known}`}
            </span>
            <p>{summary}</p>
            {details?.excerpts[index] !== undefined && (
              <Excerpt rows={details.excerpts[index]} title={`The history around violation ${index + 1}`} />
            )}
          </li>
        ))}
      </ol>
    </Part>
  )
}

function Details({ trial: { verdict, violations, details } }: { trial: PageTrial }) {
  if (verdict === 'passed' || verdict === 'skipped') return null
  if (details === undefined)
    return <p class="dim">The history of this trial was not kept. The replay line makes it again.</p>
  if (details === null) {
    return (
      <p class="dim">
        The history of this trial is left out, to keep this file small. It is kept beside the result of the
        run, and the replay line makes it again.
      </p>
    )
  }
  const [ending] = details.excerpts
  return (
    <>
      {violations.length === 0 && ending !== undefined && ending.length > 0 && (
        <Part title="How it ended">
          <Excerpt rows={ending} title="The end of the history" />
        </Part>
      )}
      <Part title="The target’s log at that time">
        {details.log.length === 0 ? <p class="dim">It wrote none.</p> : <Log lines={details.log} />}
      </Part>
    </>
  )
}

function Part({ title, children }: { title: string; children: preact.ComponentChildren }) {
  return (
    <section class="part">
      <h4>{title}</h4>
      {children}
    </section>
  )
}

function operationsInWords([acked, refused, unknown, reads]: NonNullable<PageTrial['operations']>): string {
  return `${acked} writes acked, ${refused} refused, ${unknown} without a known outcome; ${reads} reads`
}
