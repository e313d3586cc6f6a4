/** What the values of options mean. Each throws commander's InvalidArgumentError, which names the option. */
import { InvalidArgumentError } from 'commander'
import { ISOLATIONS, type Isolation } from '../sandbox/isolation.js'
import type { Limits } from '../trial/trial.js'

/** Milliseconds. */
export const DEFAULT_LIMITS = { timeout: 5000, resumeTimeout: 5000, trialTimeout: 60_000 } as const

/** The limits of a trial, as the options give them. */
export function limitsOf(options: Readonly<Record<keyof typeof DEFAULT_LIMITS, number>>): Limits {
  return { answerMs: options.timeout, resumeMs: options.resumeTimeout, trialMs: options.trialTimeout }
}

/** A whole number of at least 1. */
export function parseCount(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('Expected a whole number of at least 1.')
  return Number(text)
}

/** A percentage from 0 to 100, as a share from 0 to 1. */
export function parsePercent(text: string): number {
  const number = /^\d+(\.\d+)?%?$/.test(text) ? Number.parseFloat(text) : Number.NaN
  if (!(number >= 0 && number <= 100)) {
    throw new InvalidArgumentError("Expected a percentage from 0 to 100, such as '95'.")
  }
  return number / 100
}

/** A level of confidence: more than 0 and less than 100 percent, as a share. */
export function parseConfidence(text: string): number {
  const share = parsePercent(text)
  if (share === 0 || share === 1) throw new InvalidArgumentError('Expected more than 0 and less than 100.')
  return share
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 }

/** A duration with its unit, in milliseconds. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text)
  const milliseconds = match === null ? 0 : Math.round(Number(match[1]) * UNITS[match[2]!]!)
  if (milliseconds < 1 || milliseconds > 24 * 60 * UNITS.m!) {
    throw new InvalidArgumentError("Expected a duration with its unit, such as '500ms', '5s' or '2m'.")
  }
  return milliseconds
}

/** Anything that can be typed again: it comes back in the report and in every replay line. */
export function parseSeed(text: string): string {
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(text)) {
    throw new InvalidArgumentError('Expected 1 to 64 letters, digits, dots, dashes or underscores.')
  }
  return text
}

/** Which part of a run is to be done here. */
export interface ShardChoice {
  /** From 1. */
  readonly index: number
  readonly total: number
  /** Who said so. */
  readonly from: string
}

/** 'i/n', counted from 1. */
export function parseShard(text: string, _before?: unknown, from = '--shard'): ShardChoice {
  const [, index, total] = (/^([1-9]\d{0,5})\/([1-9]\d{0,5})$/.exec(text) ?? []).map(Number)
  if (index === undefined || total === undefined || index > total) {
    throw new InvalidArgumentError("Expected i/n with i from 1 to n, such as '2/4'.")
  }
  return { index, total, from }
}

export interface TrialId {
  readonly seed: string
  readonly index: number
}

/** A trial as a replay line names it: its seed, a dot, its number. */
export function parseTrialId(text: string): TrialId {
  const match = /^([0-9a-f]{12})\.(\d{1,9})$/.exec(text)
  if (match === null)
    throw new InvalidArgumentError("Expected a trial as the report names it, such as '1f09c2a7b3de.4'.")
  return { seed: match[1]!, index: Number(match[2]) }
}

export function parseIsolation(text: string): Isolation {
  const found = ISOLATIONS.find((isolation) => isolation === text)
  if (found === undefined) throw new InvalidArgumentError(`Expected one of ${ISOLATIONS.join(', ')}.`)
  return found
}

/** What an adapter that `init` makes can be written in. */
export const LANGUAGES = ['js', 'python'] as const
export type Language = (typeof LANGUAGES)[number]

/** A reporter and the file it writes to: 'json=report.json', or 'json' for stdout. */
export interface ReporterChoice {
  readonly name: string
  readonly file: string | undefined
}

/** The number of a TCP port; 0: any that is free. */
export function parsePort(text: string): number {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (!(number <= 65_535)) throw new InvalidArgumentError('Expected a port from 0 to 65535.')
  return number
}

/** Collects every --reporter. */
export function parseReporter(
  text: string,
  before: readonly ReporterChoice[] = [],
): readonly ReporterChoice[] {
  const [name = '', ...file] = text.split('=')
  return [...before, { name, file: file.length === 0 ? undefined : file.join('=') }]
}
