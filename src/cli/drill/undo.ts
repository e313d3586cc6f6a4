/** `drill undo`: from the journal alone, safe to repeat. */
import { checkState, stateDirectory } from '../../drill/journal.js'
import { type Outcome, undoActive } from '../../drill/undo.js'
import { leftWorkload, removeWorkloadDirectory } from '../../drill/workload-directory.js'
import { ExitCode } from '../../errors.js'
import { visible } from '../../report/words.js'
import type { Output, Screen } from '../screen.js'

/** @returns the exit code; @throws UndoError where something could not be put back */
export async function drillUndo({ state }: { readonly state?: string }, { out }: Screen): Promise<ExitCode> {
  const directory = stateDirectory(state)
  checkState(directory)
  const outcome = await undoActive(directory)
  if (outcome === undefined) out.write(`no drill is active (${directory})\n`)
  else say(outcome, out)
  const workload = leftWorkload(directory)
  if (workload !== undefined) {
    const isRemoved = await removeWorkloadDirectory(directory)
    const what = isRemoved
      ? 'is removed'
      : `was not found; where somebody has moved it, it stays: ${workload}`
    out.write(`${visible(`the directory of an attached workload ${what}`)}\n`)
  }
  return ExitCode.gateMet
}

function say({ plan, detail, left, unlogged }: Outcome, out: Output): void {
  const lines = [
    `undone: ${plan.fault} ${plan.id}: ${detail}`,
    ...left.map((each) => `left as it is: ${each}`),
  ]
  if (unlogged !== undefined) lines.push(`the audit log does not have it: ${unlogged}`)
  for (const line of lines) out.write(`${visible(line)}\n`)
}
