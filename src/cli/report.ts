/** `report`: any report of a run that is kept, made again. */
import { UsageError } from '../errors.js'
import { judgeGate } from '../report/gate.js'
import { atSpaces, type Cell, type Column, renderGrid } from '../report/grid.js'
import { inSeconds } from '../report/sentences.js'
import { oneLine } from '../report/words.js'
import { resultFile } from '../results/folder.js'
import { readResult, readRun, savedIds } from '../results/read.js'
import type { ReporterChoice } from './options.js'
import { openOutputs } from './outputs.js'
import type { Output, Screen } from './screen.js'

export interface ReportOptions {
  readonly list?: true
  readonly reporter?: readonly ReporterChoice[]
  readonly output?: string
}

/** @param selector an id, the beginning of one, `last`, a directory or a result.json */
export async function report(selector: string, options: ReportOptions, screen: Screen): Promise<void> {
  if (options.list) return await list(screen.out)
  const outputs = await openOutputs(options.reporter ?? [], options.output, false)
  await outputs.write(await readRun(selector), screen)
}

const COLUMNS: readonly Column[] = [
  { head: 'run' },
  { head: 'started' },
  { head: 'target' },
  { head: 'scenarios', numeric: true },
  { head: 'time', numeric: true },
  { head: 'gate', chunks: atSpaces },
]

/** The runs that are kept, the latest first. */
async function list(output: Output): Promise<void> {
  const ids = await savedIds()
  const rows = await Promise.all(ids.reverse().map((id) => row(id, output)))
  if (rows.length === 0) output.write('no run is kept in this directory\n')
  else output.write(`${renderGrid(COLUMNS, rows, output).join('\n')}\n`)
}

async function row(id: string, { chalk }: Output): Promise<Cell[]> {
  try {
    const run = await readResult(resultFile(id))
    const { met, line } = judgeGate(run)
    const texts = [
      id,
      `${run.startedAt.slice(0, 16).replace('T', ' ')} UTC`,
      oneLine(`${run.target.name} ${run.target.version}`.trim()),
      String(run.scenarios.length),
      inSeconds(run.durationMs),
    ]
    return [...texts.map((text) => ({ text })), { text: line, paint: met ? chalk.green : chalk.red }]
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    return [id, '-', '-', '-', '-', oneLine(error.message)].map((text) => ({ text }))
  }
}
