import { atSpaces, type Column, renderGrid } from '../report/grid.js'
import { selectScenarios } from '../scenario/load.js'
import { faultsOf, needsOf } from '../scenario/needs.js'
import type { Scenario } from '../scenario/schema.js'
import { formatSize } from '../scenario/size.js'
import { VOLUMES } from '../volume/index.js'
import type { Screen } from './screen.js'

export interface ListOptions {
  /** Which scenarios; all built-in ones where there is none. */
  readonly selectors: readonly string[]
  readonly json: boolean
}

/** `list`: one line a scenario. */
export async function list({ selectors, json }: ListOptions, { out }: Screen): Promise<void> {
  const scenarios = (await selectScenarios(selectors)).map(({ scenario }) => scenario)
  out.write(json ? `${JSON.stringify(scenarios.map(entry), null, 2)}\n` : table(scenarios, out))
}

function entry(scenario: Scenario) {
  const { name, title, volume, trials } = scenario
  return {
    name,
    title,
    volume,
    faults: faultsOf(scenario).map(({ kind }) => kind),
    needs: needsOf(scenario),
    trials,
  }
}

const COLUMNS: readonly Column[] = [
  { head: 'name' },
  { head: 'volume' },
  { head: 'faults', chunks: atSpaces },
  { head: 'trials', numeric: true },
  { head: 'title', chunks: atSpaces },
]

function table(scenarios: readonly Scenario[], out: Screen['out']): string {
  const rows = scenarios.map((scenario) => {
    const { name, volume, faults, trials, title } = entry(scenario)
    const texts = [
      name,
      `${volume.kind} ${formatSize(volume.size ?? VOLUMES[volume.kind].defaultSize)}`,
      faults.join(', '),
      String(trials),
      title,
    ]
    return texts.map((text) => ({ text }))
  })
  return `${renderGrid(COLUMNS, rows, out).join('\n')}\n`
}
