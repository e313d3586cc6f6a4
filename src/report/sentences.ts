/** What every report for people says in the same words. Texts from outside are as they came: see `oneLine`. */
import type { Violation } from '../oracle/violation.js'
import type { Baseline, Difference } from './baseline.js'
import { runsInWords } from './flaky.js'
import { groupWaived, type ReasonGroup, type ViolationGroup } from './groups.js'
import type { KnownOutcome } from './known.js'
import type { RunResult, TrialResult } from './result.js'
import type { Rate } from './stats.js'
import { percent, plural } from './words.js'

/** What was run and how, without what came of it. */
export function runFacts(run: RunResult): string[] {
  const { target, isolation, seed, shard, shards, durationMs, repeatEach = 1 } = run
  const name = `${target.name} ${target.version}`.trim()
  const part = shard === undefined ? [] : [`shard ${shard.index}/${shard.total} (${shard.from})`]
  const parts = shards === undefined ? [] : [`${shards} shards`]
  const repeated = repeatEach === 1 ? [] : [`each trial ${repeatEach} times`]
  return [
    name,
    `isolation ${isolation}`,
    `seed ${seed}`,
    ...part,
    ...parts,
    ...repeated,
    inSeconds(durationMs),
  ]
}

/** '1.3 s'. */
export function inSeconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`
}

/** 'lost-write (data-loss): key k07: put #412 is gone'. */
export function violationSentence({ kind, severity, summary }: Violation): string {
  return `${kind} (${severity}): ${summary}`
}

/** 'diskfull/sweep 1f09c2a7b3de.4 is flaky: passed, failed (lost-write), passed, all with the same seed'. */
export function flakySentence(trial: TrialResult): string {
  const { scenario, seed, index } = trial
  return `${scenario} ${seed}.${index} is flaky: ${runsInWords(trial)}, all with the same seed`
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

/** 'known until 2027-03-01: crashed in diskfull/sweep, 3 times (issue 12)'. */
export function knownSentence({ scenario, violation, reason, expires, state, times }: KnownOutcome): string {
  const what = `${violation ?? 'any violation'} in ${scenario}`
  const seen = `${what}, ${plural(times, 'time')} (${reason})`
  switch (state) {
    case 'known':
      return `known until ${expires}: ${seen}`
    case 'expired':
      return times > 0
        ? `known until ${expires}, which is over: ${seen}`
        : `known until ${expires}, which is over, and no longer needed: ${what} (${reason})`
    case 'unneeded':
      return `no longer needed as known: ${what} (${reason})`
  }
}

/** 'diskfull/sweep: lost-write is new; 50.0% (4/8), was 100.0% (8/8)'. */
export function differenceSentence(difference: Difference): string {
  const { scenario, before, after, rate, newViolations, goneViolations } = difference
  const parts = [
    ...(before === undefined ? ['not in the baseline, so the usual gate counts'] : []),
    ...newViolations.map((kind) => `${kind} is new`),
    ...goneViolations.map((kind) => `${kind} is gone`),
    ...(after !== undefined && (rate !== 'same' || before === undefined) ? [rateSentence(after)] : []),
  ]
  const was = rate === 'same' || before === undefined ? '' : `, was ${rateSentence(before)}`
  return `${scenario}: ${parts.join('; ')}${was}`
}

function rateSentence({ passed, counted }: Rate): string {
  return `${percent(passed / counted, 1)} (${passed}/${counted})`
}

/** What came of the comparison with an earlier run: a heading, then what got worse, better, or could not be compared. */
export function comparisonSentences(
  { name, target, startedAt }: Baseline,
  differences: readonly Difference[],
): [heading: string, ...sentences: string[]] {
  const isBoth = ({ before, after }: Difference) => before !== undefined && after !== undefined
  const named = (some: readonly Difference[]) => some.map(({ scenario }) => scenario).join(', ')
  const better = differences.filter((each) => each.better && !each.worse)
  const fresh = differences.filter(({ before, worse }) => before === undefined && !worse)
  const left = differences.filter(({ after }) => after === undefined)
  const same = differences.filter((each) => isBoth(each) && !each.worse && !each.better)
  return [
    `compared with ${name} (${`${target.name} ${target.version}`.trim()}, ${startedAt.slice(0, 10)}):`,
    ...differences.filter(({ worse }) => worse).map((each) => `worse: ${differenceSentence(each)}`),
    ...better.map((each) => `better: ${differenceSentence(each)}`),
    ...(same.length === 0 ? [] : [`as before: ${plural(same.length, 'scenario')}`]),
    ...(fresh.length === 0 ? [] : [`new, and good enough: ${named(fresh)}`]),
    ...(left.length === 0 ? [] : [`in the baseline only: ${named(left)}`]),
  ]
}
