import { ExitCode, UsageError } from '../errors.js'
import { loadScenarioFile } from '../scenario/load.js'
import type { Screen } from './screen.js'

/** `validate`: whether each file is a scenario; where one is not, what is wrong with it and where. */
export async function validate(files: readonly string[], { out, err }: Screen): Promise<ExitCode> {
  let wrong = false
  for (const file of files) {
    try {
      const { name } = await loadScenarioFile(file)
      out.write(`${out.chalk.green('ok')}  ${file} (${name})\n`)
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      wrong = true
      err.write(`${error.message}\n${error.hint === undefined ? '' : `  ${error.hint}\n`}`)
    }
  }
  return wrong ? ExitCode.usage : ExitCode.gateMet
}
