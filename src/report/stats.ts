import type { EvidenceCount, TrialResult, VerdictName } from './result.js'

/** How many trials there were, by verdict. */
export interface Counts {
  readonly trials: number
  readonly passed: number
  readonly failed: number
  readonly inconclusive: number
  readonly skipped: number
  readonly errors: number
}

export function countVerdicts(trials: readonly Pick<TrialResult, 'verdict'>[]): Counts {
  const count = (name: VerdictName) => trials.filter(({ verdict }) => verdict === name).length
  return {
    trials: trials.length,
    passed: count('passed'),
    failed: count('failed'),
    inconclusive: count('inconclusive'),
    skipped: count('skipped'),
    errors: count('error'),
  }
}

/** The trials that the pass rate is of: all but the skipped ones. */
export function counted({ passed, failed, inconclusive, errors }: Counts): number {
  return passed + failed + inconclusive + errors
}

/** Passed of counted, from 0 to 1; 0 where nothing was counted. */
export function passRate(counts: Counts): number {
  return counted(counts) === 0 ? 0 : counts.passed / counted(counts)
}

/**
 * Lower bound of the true pass rate, one-sided, by Wilson's score interval (JASA 22, 1927): with this confidence the
 * rate is no lower. From 0 to 1; 0 where nothing was counted.
 *
 * @param confidence between 0.5 and 1
 */
export function wilsonLowerBound(counts: Counts, confidence: number): number {
  const n = counted(counts)
  if (n === 0) return 0
  const p = passRate(counts)
  const z = normalQuantile(confidence)
  const centre = p + z ** 2 / (2 * n)
  const margin = z * Math.sqrt((p * (1 - p) + z ** 2 / (4 * n)) / n)
  return Math.max(0, (centre - margin) / (1 + z ** 2 / n))
}

/**
 * Where the true pass rate lies with this confidence, two-sided, by the same score interval. From 0 to 1; everything is
 * possible where nothing was counted.
 *
 * @param confidence between 0 and 1
 */
export function wilsonInterval(counts: Counts, confidence: number): readonly [low: number, high: number] {
  const { passed } = counts
  const mirrored = { ...counts, passed: counted(counts) - passed, failed: passed, inconclusive: 0, errors: 0 }
  const oneSided = (1 + confidence) / 2
  return [wilsonLowerBound(counts, oneSided), 1 - wilsonLowerBound(mirrored, oneSided)]
}

/** The z below which a standard normal variable lies with this probability, from 0.5 to 1. */
function normalQuantile(probability: number): number {
  let low = 0
  let high = 9
  for (let halving = 0; halving < 60; halving++) {
    const middle = (low + high) / 2
    if (normalCdf(middle) < probability) low = middle
    else high = middle
  }
  return low
}

/** By the series of G. Marsaglia, "Evaluating the Normal Distribution", J. Stat. Software 11(4), 2004. */
function normalCdf(z: number): number {
  let term = z
  let sum = z
  for (let i = 3; term > 1e-17 * sum; i += 2) {
    term *= z ** 2 / i
    sum += term
  }
  return 0.5 + (sum * Math.exp(-(z ** 2) / 2)) / Math.sqrt(2 * Math.PI)
}

/** How many trials passed, of how many that count. */
export interface Rate {
  readonly passed: number
  readonly counted: number
}

export function rateOf(counts: Counts): Rate {
  return { passed: counts.passed, counted: counted(counts) }
}

/**
 * Fisher's exact test, one-sided ("Statistical Methods for Research Workers", 5th ed., 1934): how likely it is that
 * `after` has so few passes or fewer, given all passes of the two together, if the true rates are the same. It holds
 * for few trials, too; 1 where there is nothing to compare.
 */
export function fewerPassesByChance(before: Rate, after: Rate): number {
  const passes = before.passed + after.passed
  const fewest = Math.max(0, passes - before.counted)
  const most = Math.min(after.counted, passes)
  // The hypergeometric weights, each from the one before: as logarithms, since they outgrow any number.
  const logs = [0]
  for (let k = fewest; k < most; k++) {
    const ratio = ((passes - k) / (before.counted - passes + k + 1)) * ((after.counted - k) / (k + 1))
    logs.push(logs.at(-1)! + Math.log(ratio))
  }
  const largest = logs.reduce((a, b) => Math.max(a, b))
  const weights = logs.map((log) => Math.exp(log - largest))
  const sum = (some: readonly number[]) => some.reduce((total, each) => total + each, 0)
  return sum(weights.slice(0, after.passed - fewest + 1)) / sum(weights)
}

/** How likely it is that so few trials pass, or fewer, where each passes with the probability `target` (0 to 1): binomial. */
export function belowTargetByChance({ passed, counted: all }: Rate, target: number): number {
  if (passed === all || target === 0) return 1
  if (target === 1) return 0
  let log = all * Math.log(1 - target)
  let sum = Math.exp(log)
  for (let k = 0; k < passed; k++) {
    log += Math.log(((all - k) / (k + 1)) * (target / (1 - target)))
    sum += Math.exp(log)
  }
  return Math.min(1, sum)
}

/** All evidence of the trials together, by name of the error. */
export function sumEvidence(trials: readonly Pick<TrialResult, 'judgement'>[]): EvidenceCount {
  const sum: Record<string, { direct: number; probe: number }> = {}
  for (const { judgement } of trials) {
    for (const [errno, { direct, probe }] of Object.entries(judgement?.evidence ?? {})) {
      sum[errno] ??= { direct: 0, probe: 0 }
      sum[errno].direct += direct
      sum[errno].probe += probe
    }
  }
  return sum
}
