import type { RunResult } from '../report/result.js'
import { FOLDER } from '../results/folder.js'
import { saveRun } from '../results/save.js'
import type { Screen } from './screen.js'

/**
 * Keeps a result for later. That it cannot be kept is no reason to fail: the reports have it, too.
 * @param called what the user called the target
 */
export async function keepResult(result: RunResult, called: string, { err }: Screen): Promise<void> {
  if (result.scenarios.length === 0 && result.shard === undefined) return
  await saveRun(result, called).catch((error: Error) =>
    err.write(`warning: the result is not kept in ${FOLDER}: ${error.message}\n`),
  )
}
