/** What every report for people says in the same words. Texts from outside are as they came: see `oneLine`. */
import type { Violation } from '../oracle/violation.js'
import { groupWaived, type ReasonGroup, type ViolationGroup } from './groups.js'
import type { RunResult, TrialResult } from './result.js'
import { plural } from './words.js'

/** What was run and how, without what came of it. */
export function runFacts({ target, isolation, seed, durationMs }: RunResult): string[] {
  const name = `${target.name} ${target.version}`.trim()
  return [name, `isolation ${isolation}`, `seed ${seed}`, inSeconds(durationMs)]
}

/** '1.3 s'. */
export function inSeconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`
}

/** 'lost-write (data-loss): key k07: put #412 is gone'. */
export function violationSentence({ kind, severity, summary }: Violation): string {
  return `${kind} (${severity}): ${summary}`
}

/** ', 3 times in 2 trials'; nothing where it was once. */
export function howOften({ times, trials }: ViolationGroup): string {
  return times === 1 ? '' : `, ${times} times in ${plural(trials.length, 'trial')}`
}

/** '2 trials skipped'. */
export function reasonHeading({ verdict, trials }: ReasonGroup): string {
  return `${plural(trials.length, 'trial')} ${verdict === 'error' ? 'ended in an error of the tool' : verdict}`
}

/** 'needs root (diskfull/ext4, diskfull/xfs)'. */
export function reasonSentence({ reason, trials }: ReasonGroup): string {
  return `${reason} (${[...new Set(trials.map(({ scenario }) => scenario))].join(', ')})`
}

/** A sentence for each promise that the contract waives, broken or not. */
export function waivedSentences({ scenarios, target }: RunResult): string[] {
  const broken = groupWaived(scenarios.flatMap(({ trials }) => trials))
  return Object.entries(target.waived).map(([promise, reason]) => {
    const group = broken.find((each) => each.promise === promise)
    const times = group === undefined ? '' : `; broken ${plural(group.times, 'time')}: ${group.summary}`
    return `waived by the contract: ${promise} (${reason})${times}`
  })
}

/** Where --keep put the target's files, or why it could not. */
export function keptSentences({ kept, notKept }: TrialResult): string[] {
  return [
    ...(kept === undefined ? [] : [`files kept in ${kept}`]),
    ...(notKept === undefined ? [] : [`files not kept in ${notKept}`]),
  ]
}
