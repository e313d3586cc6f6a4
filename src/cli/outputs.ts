/** Where reports go: each reporter to its own file, or one to stdout. */
import { Chalk } from 'chalk'
import { UsageError } from '../errors.js'
import { REPORTERS, type ReporterName } from '../report/index.js'
import type { RunResult } from '../report/result.js'
import { nearest } from '../scenario/nearest.js'
import { checkFile, replaceFile } from './files.js'
import type { ReporterChoice } from './options.js'
import type { Screen } from './screen.js'

export interface Outputs {
  /**
   * Makes and writes every report. One that cannot be written is not lost: a table goes to stdout then.
   * @throws HostError where a file could not be written; the others are written first
   */
  write(result: RunResult, out: Screen['out']): Promise<void>
}

/** Width of a table that goes to a file. */
const FILE_WIDTH = 120

/**
 * @param choices what --reporter said, in order
 * @param output the file of a single reporter that has none of its own
 * @throws UsageError where the choices make no sense together, or a file cannot be written
 */
export async function openOutputs(
  choices: readonly ReporterChoice[],
  output: string | undefined,
): Promise<Outputs> {
  const wanted = choices.length === 0 ? [{ name: 'table', file: undefined }] : choices
  const names = wanted.map(({ name }) => reporterName(name))
  const withoutFile = wanted.filter(({ file }) => file === undefined)
  if (withoutFile.length > 1) {
    throw new UsageError(
      `${withoutFile.map(({ name }) => name).join(' and ')} would both write to ${output ?? 'stdout'}`,
      {
        hint: `give each a file: --reporter ${withoutFile[1]!.name}=FILE`,
      },
    )
  }
  if (output !== undefined && withoutFile.length === 0) {
    throw new UsageError('--output is for a reporter without a file of its own, and every one has one')
  }
  const destinations = wanted.map(({ file }, index) => ({ name: names[index]!, file: file ?? output }))
  for (const { file } of destinations) if (file !== undefined) await checkFile(file)
  return {
    async write(result, out) {
      const failures: unknown[] = []
      for (const { name, file } of destinations) {
        if (file === undefined) {
          out.write(REPORTERS[name](result, out))
          continue
        }
        const text = REPORTERS[name](result, { chalk: new Chalk({ level: 0 }), width: FILE_WIDTH })
        await replaceFile(file, text).catch((error: unknown) => failures.push(error))
      }
      if (failures.length === 0) return
      if (destinations.every(({ file }) => file !== undefined)) out.write(REPORTERS.table(result, out))
      throw failures[0]
    },
  }
}

function reporterName(name: string): ReporterName {
  if (Object.hasOwn(REPORTERS, name)) return name as ReporterName
  const near = nearest(name, Object.keys(REPORTERS))
  throw new UsageError(`there is no reporter '${name}'`, {
    hint: near === undefined ? `there is ${Object.keys(REPORTERS).join(', ')}` : `did you mean ${near}?`,
  })
}
