import type { Page } from '../report/page.js'
import { choices, type Matching } from './filter.js'
import type { Shown } from './location.js'

interface Props {
  page: Page
  shown: Shown
  show(change: Shown): void
  rows: readonly Matching[]
}

const FILTERS = [
  { field: 'verdict', label: 'Verdict', all: 'every verdict' },
  { field: 'family', label: 'Family', all: 'every family' },
  { field: 'violation', label: 'Violation', all: 'any or none' },
] as const

export function Filters({ page, shown, show, rows }: Props) {
  const options = choices(page)
  const isAny = FILTERS.some(({ field }) => shown[field] !== undefined)
  const found = rows.reduce((sum, { trials }) => sum + trials.length, 0)
  return (
    <search class="filters" aria-label="Filter the trials">
      {FILTERS.map(({ field, label, all }) => (
        <label key={field}>
          <span>{label}</span>
          <select
            value={shown[field] ?? ''}
            onChange={({ currentTarget: { value } }) => show({ [field]: value === '' ? undefined : value })}
          >
            <option value="">{all}</option>
            {[...options[field]].map(([value, count]) => (
              <option key={value} value={value}>
                {value} ({count})
              </option>
            ))}
          </select>
        </label>
      ))}
      <p role="status">{isAny ? `${found} of ${page.counts.trials}` : page.counts.trials} trials</p>
      {isAny && (
        <button
          type="button"
          class="quiet"
          onClick={() => show({ verdict: undefined, family: undefined, violation: undefined })}
        >
          Show all
        </button>
      )}
    </search>
  )
}
