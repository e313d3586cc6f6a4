/** The number of single-character edits that turn `a` into `b` (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substituted = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(substituted, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}

/**
 * The candidate that `text` was probably meant to be: the one with the fewest edits, where these are few enough
 * (a third of its length, at least two) to be a slip; undefined where there is none.
 */
export function nearest(text: string, candidates: Iterable<string>): string | undefined {
  let best: { candidate: string; edits: number } | undefined
  for (const candidate of candidates) {
    const limit = Math.max(2, Math.floor(candidate.length / 3))
    if (Math.abs(candidate.length - text.length) > limit) continue
    const edits = distance(text.toLowerCase(), candidate.toLowerCase())
    if (edits <= limit && edits < candidate.length && (best === undefined || edits < best.edits))
      best = { candidate, edits }
  }
  return best?.candidate
}
