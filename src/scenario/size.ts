const UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
}

/** A size as people write it; the published JSON Schema uses it too. */
export const SIZE_PATTERN = /^\s*(\d+|\d+\.\d+(?=\s*\w))\s*(B|KiB|MiB|GiB|kB|MB|GB)?\s*$/

/** Bytes of a size such as '64KiB'; undefined where the text is not a size or the number has no exact form. */
export function parseSize(text: string): number | undefined {
  const match = SIZE_PATTERN.exec(text)
  if (match === null) return undefined
  const bytes = Math.round(Number(match[1]) * UNITS[match[2] ?? 'B']!)
  return Number.isSafeInteger(bytes) ? bytes : undefined
}

/** Bytes for people: 8388608 as '8 MiB'. */
export function formatSize(bytes: number): string {
  for (const unit of ['GiB', 'MiB', 'KiB'] as const) {
    const factor = UNITS[unit]!
    if (bytes >= factor) return `${Number((bytes / factor).toFixed(1))} ${unit}`
  }
  return `${bytes} B`
}
