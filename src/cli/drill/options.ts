/** What the values of a drill's options mean. Each throws commander's InvalidArgumentError, which names the option. */
import { InvalidArgumentError } from 'commander'
import { parseSize } from '../../scenario/size.js'
import { parseCount } from '../options.js'

/** Bytes. */
export function parseSizeOption(text: string): number {
  const bytes = parseSize(text)
  if (bytes === undefined)
    throw new InvalidArgumentError("Expected a size in B, KiB, MiB or GiB, such as '1MiB'.")
  return bytes
}

/** A file or a directory. */
export function parsePath(text: string): string {
  if (text === '') throw new InvalidArgumentError('Expected a path.')
  return text
}

/** A whole number, of 0 too. */
export function parseNumber(text: string): number {
  return text === '0' ? 0 : parseCount(text)
}

/** A load average: proc_loadavg(5). */
export function parseLoad(text: string): number {
  const load = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  if (!(load > 0)) throw new InvalidArgumentError('Expected a number above 0.')
  return load
}

/** Collects an option that may be given several times. */
export function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text]
}
