/** Puts together what happened many times in the same way, so that a report can say it once. */
import type { Severity, ViolationKind } from '../oracle/violation.js'
import type { PromiseId } from '../target/contract.js'
import { violationsOf } from './flaky.js'
import type { ScenarioResult, TrialResult, VerdictName } from './result.js'

/** Items by key, in the order in which each key came first. */
function groupBy<T>(items: readonly T[], key: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const group = groups.get(key(item))
    if (group === undefined) groups.set(key(item), [item])
    else group.push(item)
  }
  return [...groups.values()]
}

/** A text without what tells one case from the next: paths, which have a random part, and numbers. */
function shape(text: string): string {
  return text.replace(/(?:\/[^\s/:'"]+){2,}/g, '/…').replace(/\d+/g, '#')
}

/** Violations of one scenario that differ in nothing but numbers and paths. */
export interface ViolationGroup {
  readonly kind: ViolationKind
  readonly severity: Severity
  /** Of the first of them. */
  readonly summary: string
  readonly times: number
  /** The trials in which it happened; the first one is the first to show it. */
  readonly trials: readonly [TrialResult, ...TrialResult[]]
}

/** The violations of a scenario, data loss first. */
export function groupViolations(scenario: ScenarioResult): ViolationGroup[] {
  const found = scenario.trials.flatMap((trial) =>
    violationsOf(trial).map((violation) => ({ violation, trial })),
  )
  const groups = groupBy(found, ({ violation }) => `${violation.kind} ${shape(violation.summary)}`)
  return groups
    .map((group): ViolationGroup => {
      const [first, ...rest] = group as [(typeof group)[number], ...typeof group]
      const { kind, severity, summary } = first.violation
      const later = new Set(rest.map(({ trial }) => trial))
      later.delete(first.trial)
      return { kind, severity, summary, times: group.length, trials: [first.trial, ...later] }
    })
    .sort((a, b) => Number(b.severity === 'data-loss') - Number(a.severity === 'data-loss'))
}

/** Groups of one scenario that a report tells one by one. */
const MOST_TOLD = 5

/** The groups that a report tells, and how many violations it leaves out. */
export function foldViolations(scenario: ScenarioResult): { told: readonly ViolationGroup[]; left: number } {
  const groups = groupViolations(scenario)
  const left = groups.slice(MOST_TOLD).reduce((sum, { times }) => sum + times, 0)
  return { told: groups.slice(0, MOST_TOLD), left }
}

/** Trials that ended in the same way for the same reason, without a violation. */
export interface ReasonGroup {
  readonly verdict: VerdictName
  readonly reason: string
  readonly trials: readonly [TrialResult, ...TrialResult[]]
}

/** Why trials were skipped, inconclusive or errors. */
export function groupReasons(trials: readonly TrialResult[]): ReasonGroup[] {
  const unsettled = trials.filter(({ verdict }) => verdict !== 'passed' && verdict !== 'failed')
  return groupBy(unsettled, ({ verdict, reason }) => `${verdict} ${shape(reason ?? '')}`).map((group) => {
    const [first, ...rest] = group as [TrialResult, ...TrialResult[]]
    return { verdict: first.verdict, reason: first.reason ?? 'no reason was given', trials: [first, ...rest] }
  })
}

/** A promise that was broken but is not made by the contract. */
export interface WaivedGroup {
  readonly promise: PromiseId
  /** Of the first time. */
  readonly summary: string
  readonly times: number
}

export function groupWaived(trials: readonly TrialResult[]): WaivedGroup[] {
  const broken = trials.flatMap(({ judgement }) => judgement?.waived ?? [])
  return groupBy(broken, ({ promise }) => promise).map((group) => ({ ...group[0]!, times: group.length }))
}
