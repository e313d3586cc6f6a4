/** The verdict on one round of a drill, from its record alone. */
import { VIOLATION_SEVERITY, type Violation } from '../oracle/violation.js'
import type { EvidenceCount, Judgement, VerdictName } from '../report/result.js'
import { oneLine, plural } from '../report/words.js'
import type { RoundRecord, Sample } from './record.js'
import type { Testimony } from './testimony.js'

export interface RoundVerdict {
  readonly verdict: VerdictName
  /** Why it did not pass, in words. */
  readonly reason?: string
  readonly judgement: Judgement
}

/**
 * A round passes only with evidence that the fault was there, and that it is not there any more; and then only if the
 * service did as is expected of it.
 */
export function judgeRound(record: RoundRecord): RoundVerdict {
  const evidence = evidenceOf(record)
  const violations = [...duringViolations(record), ...afterViolations(record)]
  const judged = (verdict: VerdictName, reason?: string): RoundVerdict => ({
    verdict,
    ...(reason === undefined ? {} : { reason }),
    judgement: {
      verdict: verdict === 'passed' || verdict === 'failed' ? verdict : 'inconclusive',
      ...(reason === undefined ? {} : { reason }),
      violations,
      waived: [],
      evidence,
      operations: operationsOf(record.samples),
    },
  })
  const still = stillThere(record)
  if (still.length > 0)
    return judged('error', `it could not be verified that all is undone: ${still.join('; ')}`)
  if (record.ending.without) return judged('error', `${record.ending.why}; it was undone from the journal`)
  if (violations.length > 0) return judged('failed')
  if (record.aborted !== undefined) return judged('inconclusive', `ended early: ${record.aborted}`)
  const silent = record.expectations.find(
    ({ during }, probe) =>
      during === 'pass' && !record.samples.some((each) => each.probe === probe && each.phase === 'during'),
  )
  if (silent !== undefined)
    return judged('inconclusive', `'${silent.name}' gave no answer while the fault was on, and has to pass`)
  if (Object.values(evidence).every(({ probe }) => probe === 0)) {
    return judged('inconclusive', `no evidence that the fault was there: ${unseen(record)}`)
  }
  return judged('passed')
}

/** An error counts where the same thing had worked before. */
function evidenceOf({ errnos, before, during, observed, ending }: RoundRecord): EvidenceCount {
  const worked = new Set(before.filter(({ errno }) => errno === null).map(({ what }) => what))
  const seen = during
    .filter(({ what, errno }) => errno !== null && errnos.includes(errno) && worked.has(what))
    .map(({ errno }) => errno!)
  const shown = observed.before === undefined && observed.during !== undefined ? [observed.during.sign] : []
  const signs = new Set([...seen, ...shown, ...Object.keys(ending.direct)])
  const count = (sign: string) => [...seen, ...shown].filter((each) => each === sign).length
  return Object.fromEntries(
    [...signs].map((sign) => [sign, { direct: ending.direct[sign] ?? 0, probe: count(sign) }]),
  )
}

/** What worked before and does not work after it: the fault may still be there. */
function stillThere({ before, after, observed }: RoundRecord): string[] {
  const worked = new Set(before.filter(({ errno }) => errno === null).map(({ what }) => what))
  return [
    ...after.filter(({ what, errno }) => errno !== null && worked.has(what)).map(inWords),
    ...(observed.before === undefined && observed.after !== undefined ? [observed.after.detail] : []),
  ]
}

function unseen({ before, during }: RoundRecord): string {
  const tried = during.filter(({ errno }) => errno === null).map(({ tried }) => `${tried} worked`)
  const failed = before.filter(({ errno }) => errno !== null).map(inWords)
  return (
    [...tried, ...failed.map((each) => `${each} before the fault already`)].join(', ') || 'nothing showed it'
  )
}

function inWords({ tried, errno }: Testimony): string {
  return `${tried} failed with ${errno}`
}

function duringViolations({ expectations, samples }: RoundRecord): Violation[] {
  return expectations.flatMap(({ name, during, says }, probe) => {
    const own = samples.filter((sample) => sample.probe === probe && sample.phase === 'during')
    const failed = own.filter(({ error }) => error !== undefined)
    const other = says === undefined ? undefined : failed.find(({ error }) => !error!.includes(says))
    const found: string[] = []
    if (during === 'pass' && failed.length > 0) {
      found.push(
        `failed ${failed.length} of ${plural(own.length, 'time')} (${oneLine(failed[0]!.error!)}), and has to pass`,
      )
    }
    if (during === 'fail' && failed.length === 0) {
      found.push(`passed ${own.length} of ${plural(own.length, 'time')}, and has to fail`)
    }
    if (other !== undefined) found.push(`failed with '${oneLine(other.error!)}', and has to say '${says}'`)
    return found.map((what) => violation('unmet-expectation', `while the fault was on, '${name}' ${what}`))
  })
}

function afterViolations({ expectations, samples, recoverMs }: RoundRecord): Violation[] {
  return expectations.flatMap(({ name }, probe) => {
    const own = samples.filter((sample) => sample.probe === probe && sample.phase === 'after')
    const last = own.at(-1)
    if (last !== undefined && last.error === undefined) return []
    const why = last === undefined ? 'was not asked' : `still fails: ${oneLine(last.error!)}`
    return [violation('no-recovery', `${recoverMs / 1000} s after the fault was undone, '${name}' ${why}`)]
  })
}

function violation(kind: 'unmet-expectation' | 'no-recovery', summary: string): Violation {
  return { kind, severity: VIOLATION_SEVERITY[kind], summary, at: 0 }
}

function operationsOf(samples: readonly Sample[]): Judgement['operations'] {
  const refused = samples.filter(({ error }) => error !== undefined).length
  return { acked: samples.length - refused, refused, unknown: 0, reads: 0 }
}
