/** `doctor`: what this host can do, each thing tried for real. */
import { ExitCode, HostError } from '../errors.js'
import { atSpaces, type Cell, type Column, renderGrid } from '../report/grid.js'
import { Host } from '../sandbox/host.js'
import type { Isolation } from '../sandbox/isolation.js'
import { type Capability, NEEDS, type Need } from '../sandbox/need.js'
import type { Screen } from './screen.js'
import { withStopSignal } from './stop-signal.js'

interface Diagnosis {
  readonly isolation: Isolation | null
  /** Why there is no isolation, and what would give one. */
  readonly problem?: { readonly why: string; readonly fix: string }
  readonly capabilities: readonly (Capability & { readonly title: string })[]
}

/** @returns the exit code: 3 where no trial at all could run here */
export async function doctor(
  options: { json?: true; isolation?: Isolation },
  { out }: Screen,
): Promise<ExitCode> {
  const diagnosis = await withStopSignal((signal) => diagnose(options.isolation, signal))
  out.write(options.json ? `${JSON.stringify(diagnosis, null, 2)}\n` : table(diagnosis, out))
  return diagnosis.capabilities.some(({ need, ok }) => need === 'tmpfs' && ok)
    ? ExitCode.gateMet
    : ExitCode.host
}

async function diagnose(wanted: Isolation | undefined, signal: AbortSignal): Promise<Diagnosis> {
  try {
    const host = await Host.open(wanted)
    try {
      const found = await host.capabilities(Object.keys(NEEDS) as Need[], signal)
      const capabilities = found.map((capability) => ({ ...capability, title: NEEDS[capability.need].title }))
      return { isolation: host.isolation, capabilities }
    } finally {
      await host.close()
    }
  } catch (error) {
    if (!(error instanceof HostError)) throw error
    return { isolation: null, problem: { why: error.message, fix: error.hint ?? '' }, capabilities: [] }
  }
}

function table({ isolation, problem, capabilities }: Diagnosis, out: Screen['out']): string {
  const { chalk } = out
  if (problem !== undefined) return `${chalk.red('no trial can run here:')} ${problem.why}\n${problem.fix}\n`
  const told = new Map<string, string>()
  const rows = capabilities.map((capability): Cell[] => {
    const { title } = capability
    if (capability.ok) return [{ text: title }, { text: 'yes', paint: chalk.green }, { text: '' }]
    const reason = `${capability.why}\n${capability.fix}`
    const before = told.get(reason)
    if (before === undefined) told.set(reason, title)
    const text = before === undefined ? reason : `as for ${before}`
    return [{ text: title }, { text: 'no', paint: chalk.yellow }, { text }]
  })
  return `isolation: ${isolation}\n\n${renderGrid(COLUMNS, rows, out).join('\n')}\n`
}

const COLUMNS: readonly Column[] = [
  { head: 'what' },
  { head: 'here' },
  { head: 'why not, and what would give it', chunks: atSpaces },
]
