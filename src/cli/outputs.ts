/** Where reports go: each reporter to its own file, or one to stdout. */
import { rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Chalk } from 'chalk'
import { UsageError } from '../errors.js'
import { REPORTERS, type ReporterName } from '../report/index.js'
import type { RunResult } from '../report/result.js'
import { nearest } from '../scenario/nearest.js'
import type { ReporterChoice } from './options.js'
import type { Screen } from './screen.js'

export interface Outputs {
  /** Makes and writes every report. @throws UsageError where a file cannot be written; the others are written first */
  write(result: RunResult, out: Screen['out']): Promise<void>
}

/** Width of a table that goes to a file. */
const FILE_WIDTH = 120

/**
 * @param choices what --reporter said, in order
 * @param output the file of a single reporter that has none of its own
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
  for (const { file } of destinations) if (file !== undefined) await checkWritable(file)
  return {
    async write(result, out) {
      let failure: unknown
      for (const { name, file } of destinations) {
        if (file === undefined) {
          out.write(REPORTERS[name](result, out))
          continue
        }
        const text = REPORTERS[name](result, { chalk: new Chalk({ level: 0 }), width: FILE_WIDTH })
        try {
          await replaceFile(file, text)
        } catch (error) {
          failure ??= error
          out.write(REPORTERS.table(result, out))
        }
      }
      if (failure !== undefined) throw failure
    },
  }
}

function reporterName(name: string): ReporterName {
  if (name in REPORTERS) return name as ReporterName
  const near = nearest(name, Object.keys(REPORTERS))
  throw new UsageError(`there is no reporter '${name}'`, {
    hint: near === undefined ? `there is ${Object.keys(REPORTERS).join(', ')}` : `did you mean ${near}?`,
  })
}

/** A run can take minutes: that its report has nowhere to go is said before it begins. */
async function checkWritable(file: string): Promise<void> {
  const trial = temporaryName(file)
  try {
    await writeFile(trial, '', { flag: 'wx' })
    await rm(trial)
  } catch (error) {
    throw unwritable(file, error)
  }
}

/** Writes beside the file and renames, so that nobody ever reads half a report. */
async function replaceFile(file: string, text: string): Promise<void> {
  const temporary = temporaryName(file)
  try {
    await writeFile(temporary, text, { flag: 'wx', flush: true })
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true })
    throw unwritable(file, error)
  }
}

function temporaryName(file: string): string {
  return path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}`)
}

function unwritable(file: string, cause: unknown): UsageError {
  return new UsageError(`${file} cannot be written: ${(cause as Error).message}`, {
    cause,
    hint: 'give --output, or the reporter, a file in a directory that is there and may be written',
  })
}
