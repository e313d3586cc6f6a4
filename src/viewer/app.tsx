import { useCallback, useEffect, useState } from 'preact/hooks'
import type { Page } from '../report/page.js'
import { matching } from './filter.js'
import { Filters } from './filters.js'
import { GatePanel } from './gate.js'
import { hashOf, type Shown, shownFrom } from './location.js'
import { Scenarios } from './scenarios.js'

export function App({ page }: { page: Page }) {
  const [shown, show] = useAddress()
  const rows = matching(page, shown)
  return (
    <>
      <header class="top">
        <GatePanel page={page} />
      </header>
      <main>
        <Filters page={page} shown={shown} show={show} rows={rows} />
        <Scenarios columns={page.columns} rows={rows} shown={openIn(page, shown)} show={show} />
        <List title="Compared with a baseline" items={page.comparison} />
        <List title="Notes" items={page.notes} />
      </main>
      <footer>
        {page.tool} · {page.startedAt.slice(0, 16).replace('T', ' ')} UTC · this file loads nothing and sends
        nothing
      </footer>
    </>
  )
}

function List({ title, items }: { title: string; items: readonly string[] }) {
  if (items.length === 0) return null
  return (
    <section class="notes">
      <h2>{title}</h2>
      <ul>
        {items.map((item) => (
          <li key={item}>{item}</li>
        ))}
      </ul>
    </section>
  )
}

/** A link may name a trial without its scenario. */
function openIn({ scenarios }: Page, shown: Shown): Shown {
  if (shown.trial === undefined || shown.scenario !== undefined) return shown
  const found = scenarios.find(({ trials }) => trials.some(({ id }) => id === shown.trial))
  return { ...shown, scenario: found?.name }
}

/** What is shown follows the address, and the other way round. */
function useAddress(): [Shown, (change: Shown) => void] {
  const [shown, setShown] = useState(() => shownFrom(location.hash))
  useEffect(() => {
    const follow = () => setShown(shownFrom(location.hash))
    addEventListener('hashchange', follow)
    return () => removeEventListener('hashchange', follow)
  }, [])
  const show = useCallback((change: Shown) => {
    location.hash = hashOf({ ...shownFrom(location.hash), ...change })
  }, [])
  return [shown, show]
}
