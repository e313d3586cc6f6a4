import type { Page, PageScenario, PageTrial } from '../report/page.js'
import type { Matching } from './filter.js'
import type { Shown } from './location.js'
import { TrialItem } from './trial.js'
import { VerdictMark } from './verdict.js'

interface Props {
  columns: Page['columns']
  rows: readonly Matching[]
  shown: Shown
  show(change: Shown): void
}

export function Scenarios({ columns, rows, shown, show }: Props) {
  if (rows.length === 0) return <p class="nothing">No trial fits.</p>
  return (
    <table class="scenarios">
      <caption class="hidden">
        Scenarios, and how their trials went. A scenario opens into its trials.
      </caption>
      <thead>
        <tr>
          {columns.map(({ head, numeric }) => (
            <th key={head} scope="col" class={`${columnClass(head)}${numeric ? ' number' : ''}`}>
              {head}
            </th>
          ))}
        </tr>
      </thead>
      {rows.map((row) => (
        <Scenario key={row.scenario.name} {...row} columns={columns} shown={shown} show={show} />
      ))}
    </table>
  )
}

function Scenario({ scenario, trials, columns, shown, show }: Omit<Props, 'rows'> & Matching) {
  const { name, cells } = scenario
  const isOpen = shown.scenario === name
  const region = `trials-of-${name}`
  return (
    <tbody class={isOpen ? 'open' : ''}>
      <tr>
        {cells.map(({ text, colour }, index) => {
          const { head, numeric } = columns[index]!
          if (index > 0) {
            return (
              <td key={head} class={`${columnClass(head)}${numeric ? ' number' : ''} ${colour ?? ''}`}>
                {text}
              </td>
            )
          }
          return (
            <th key={head} scope="row">
              <button
                type="button"
                class="opens name"
                aria-expanded={isOpen}
                aria-controls={region}
                onClick={() => show({ scenario: isOpen ? undefined : name, trial: undefined })}
              >
                <VerdictMark verdict={worst(scenario)} />
                <span>{text}</span>
              </button>
            </th>
          )
        })}
      </tr>
      {isOpen && (
        <tr class="inside">
          <td colSpan={columns.length} id={region}>
            <h2>{scenario.title}</h2>
            <Violations scenario={scenario} show={show} />
            <Trials trials={trials} shown={shown} show={show} />
          </td>
        </tr>
      )}
    </tbody>
  )
}

function Violations({ scenario, show }: { scenario: PageScenario; show: Props['show'] }) {
  if (scenario.violations.length === 0) return null
  return (
    <ul class="violations">
      {scenario.violations.map(({ kind, severity, summary, often, trial, known }) => (
        <li key={`${kind} ${summary}`}>
          <strong class={severity}>{kind}</strong>{' '}
          <span class="dim">
            {[severity, often, known === undefined ? '' : `known: ${known}`].filter(Boolean).join(', ')}
          </span>
          <p>
            {summary}{' '}
            <button type="button" class="link" onClick={() => show({ scenario: scenario.name, trial })}>
              open trial {trial}
            </button>
          </p>
        </li>
      ))}
    </ul>
  )
}

function Trials({ trials, shown, show }: { trials: readonly PageTrial[] } & Pick<Props, 'shown' | 'show'>) {
  return (
    <ol class="trials">
      {trials.map((trial) => {
        const isOpen = shown.trial === trial.id
        const toggle = () => show({ scenario: shown.scenario, trial: isOpen ? undefined : trial.id })
        return <TrialItem key={trial.id} trial={trial} isOpen={isOpen} toggle={toggle} />
      })}
    </ol>
  )
}

const WORST_FIRST = ['error', 'failed', 'inconclusive', 'passed', 'skipped'] as const

/** The worst of its verdicts, to be seen at a glance. */
function worst({ trials }: PageScenario) {
  return WORST_FIRST.find((verdict) => trials.some((trial) => trial.verdict === verdict)) ?? 'skipped'
}

/** Columns that say less give way on a narrow screen. */
function columnClass(head: string): string {
  return `column-${head.split(' ')[0]}`
}
