/** The verdict on one round of a drill, from its record alone. */
import { VIOLATION_SEVERITY, type Violation } from '../oracle/violation.js'
import type { EvidenceCount, Judgement, VerdictName } from '../report/result.js'
import { oneLine, plural } from '../report/words.js'
import type { Phase, RoundRecord, Sample } from './record.js'
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
    ({ during }, probe) => during !== 'any' && samplesOf(record, probe, 'during').length === 0,
  )
  if (silent !== undefined) {
    const { name, during } = silent
    return judged('inconclusive', `'${name}' gave no answer while the fault was on, and has to ${during}`)
  }
  if (Object.values(evidence).every(({ probe }) => probe === 0)) {
    return judged('inconclusive', `no evidence that the fault was there: ${unseen(record)}`)
  }
  if (record.ending.gone !== undefined)
    return judged('inconclusive', `somebody took the fault back before its time: ${record.ending.gone}`)
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

/**
 * What worked before and does not work after it: the fault may still be there. A file of the service may be closed, or a
 * program that runs, for other reasons; where nothing can be written nobody can tell.
 */
function stillThere({ errnos, before, after, observed }: RoundRecord): string[] {
  const worked = new Set(before.filter(({ errno }) => errno === null).map(({ what }) => what))
  const tells = ({ what, errno }: Testimony) =>
    errno !== null && worked.has(what) && (what === 'write' || errnos.includes(errno))
  return [
    ...after.filter(tells).map(inWords),
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

function samplesOf({ samples }: RoundRecord, probe: number, phase: Phase): Sample[] {
  return samples.filter((sample) => sample.probe === probe && sample.phase === phase)
}

function duringViolations(record: RoundRecord): Violation[] {
  return record.expectations.flatMap(({ name, during, says }, probe) => {
    const own = samplesOf(record, probe, 'during')
    const failed = own.filter(({ error }) => error !== undefined)
    const other = says === undefined ? undefined : failed.find(({ error }) => !error!.includes(says))
    const found: string[] = []
    if (during === 'pass' && failed.length > 0) {
      found.push(
        `failed ${failed.length} of ${plural(own.length, 'time')} (${oneLine(failed[0]!.error!)}), and has to pass`,
      )
    }
    // it might have failed in the time that it did not get
    const hadItsTime = record.aborted === undefined && record.ending.gone === undefined
    if (during === 'fail' && failed.length === 0 && own.length > 0 && hadItsTime) {
      found.push(`passed ${own.length} of ${plural(own.length, 'time')}, and has to fail`)
    }
    if (other !== undefined) found.push(`failed with '${oneLine(other.error!)}', and has to say '${says}'`)
    return found.map((what) => violation('unmet-expectation', `while the fault was on, '${name}' ${what}`))
  })
}

/** What counts is when a probe began to pass for good; that it never did counts where it was given the time. */
function afterViolations(record: RoundRecord): Violation[] {
  const { expectations, recoverMs, recovering } = record
  return expectations.flatMap(({ name }, probe) => {
    const own = samplesOf(record, probe, 'after')
    const well = own[own.findLastIndex(({ error }) => error !== undefined) + 1]
    const tookMs = (well === undefined ? recovering.to : well.at + well.latencyMs) - recovering.from
    const seconds = (ms: number) => `${Math.round(ms) / 1000} s`
    if (well !== undefined) {
      if (tookMs <= recoverMs) return []
      const late = `'${name}' passed only ${seconds(tookMs)} after the fault was undone, and has ${seconds(recoverMs)}`
      return [violation('no-recovery', late)]
    }
    if (tookMs < recoverMs) return []
    const why = own.length === 0 ? 'was not asked' : `still fails: ${oneLine(own.at(-1)!.error!)}`
    return [violation('no-recovery', `${seconds(recoverMs)} after the fault was undone, '${name}' ${why}`)]
  })
}

function violation(kind: 'unmet-expectation' | 'no-recovery', summary: string): Violation {
  return { kind, severity: VIOLATION_SEVERITY[kind], summary, at: 0 }
}

function operationsOf(samples: readonly Sample[]): Judgement['operations'] {
  const refused = samples.filter(({ error }) => error !== undefined).length
  return { acked: samples.length - refused, refused, unknown: 0, reads: 0 }
}
