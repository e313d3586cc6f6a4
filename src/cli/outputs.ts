/** Where reports go: each reporter to its own file, or one to stdout; what a CI service wants follows by itself. */
import { appendFile } from 'node:fs/promises'
import path from 'node:path'
import { Chalk } from 'chalk'
import { UsageError } from '../errors.js'
import { judgeGate } from '../report/gate.js'
import { REPORTERS, type ReporterName } from '../report/index.js'
import type { RunResult } from '../report/result.js'
import { checkFile, replaceFile } from '../results/files.js'
import { nearest } from '../scenario/nearest.js'
import type { ReporterChoice } from './options.js'
import type { Screen } from './screen.js'

export interface Outputs {
  /**
   * Makes and writes every report. One that cannot be written is not lost: a table goes to stdout then.
   * @throws HostError where a file could not be written; the others are written first
   */
  write(result: RunResult, screen: Screen): Promise<void>
}

/** Width of a table that goes to a file. */
const FILE_WIDTH = 120
const fileStyle = { chalk: new Chalk({ level: 0 }), width: FILE_WIDTH }

/**
 * @param choices what --reporter said, in order
 * @param output the file of a single reporter that has none of its own
 * @param tellsCi whether the CI service around us is told of the result, too
 * @throws UsageError where the choices make no sense together, or a file cannot be written
 */
export async function openOutputs(
  choices: readonly ReporterChoice[],
  output: string | undefined,
  tellsCi = true,
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
  const files = destinations.flatMap(({ file }) => (file === undefined ? [] : [path.resolve(file)]))
  const twice = files.find((file, index) => files.indexOf(file) < index)
  if (twice !== undefined) {
    throw new UsageError(`two reporters would write to ${twice}, and only the last would be left`, {
      hint: 'give each a file of its own',
    })
  }
  for (const { file } of destinations) if (file !== undefined) await checkFile(file)
  return {
    async write(result, { out, err }) {
      const failures: unknown[] = []
      for (const { name, file } of destinations) {
        if (file === undefined) {
          out.write(REPORTERS[name](result, out))
          continue
        }
        const text = REPORTERS[name](result, fileStyle)
        await replaceFile(file, text).catch((error: unknown) => failures.push(error))
      }
      if (tellsCi && process.env.GITHUB_ACTIONS === 'true') {
        // whoever reads a report from stdout wants nothing else there
        const onStdout = destinations.find(({ file }) => file === undefined)?.name ?? 'table'
        if (onStdout === 'table') await tellGithub(result, out, err)
        await setStepOutputs(result, err)
      }
      if (failures.length === 0) return
      if (destinations.every(({ file }) => file !== undefined)) out.write(REPORTERS.table(result, out))
      throw failures[0]
    },
  }
}

/** Annotations, and the table in the job's summary: docs.github.com, "Adding a job summary". */
async function tellGithub(result: RunResult, out: Screen['out'], err: Screen['err']): Promise<void> {
  out.write(REPORTERS.github(result))
  await append('GITHUB_STEP_SUMMARY', "the job's summary", REPORTERS.markdown(result), err)
}

/** What later steps of the job can ask for: docs.github.com, "Setting an output parameter". None has a line end in it. */
async function setStepOutputs(result: RunResult, err: Screen['err']): Promise<void> {
  const { met, passRate, dataLoss, line } = judgeGate(result)
  const outputs = { met, 'pass-rate': passRate, 'data-loss': dataLoss, gate: line, seed: result.seed }
  const lines = Object.entries(outputs).map(([name, value]) => `${name}=${value}\n`)
  await append('GITHUB_OUTPUT', 'the outputs of the step', lines.join(''), err)
}

/** @param variable names a file that others append to as well */
async function append(variable: string, what: string, text: string, err: Screen['err']): Promise<void> {
  const file = process.env[variable]
  if (file === undefined || file === '') return
  await appendFile(file, text).catch((error: Error) =>
    err.write(`warning: ${what} could not be written: ${error.message}\n`),
  )
}

/** @throws UsageError where there is no such reporter */
function reporterName(name: string): ReporterName {
  if (Object.hasOwn(REPORTERS, name)) return name as ReporterName
  const near = nearest(name, Object.keys(REPORTERS))
  throw new UsageError(`there is no reporter '${name}'`, {
    hint: near === undefined ? `there is ${Object.keys(REPORTERS).join(', ')}` : `did you mean ${near}?`,
  })
}
