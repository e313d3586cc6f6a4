/**
 * A share as a percentage, rounded down, so that what is below a threshold never reads as if it had reached it.
 * @param digits after the point; where absent, as many as there are, at most four
 */
export function percent(share: number, digits?: number): string {
  // Ten decimal places take away what binary fractions add: 0.57 * 1000 is 569.999….
  const exact = Number((share * 100).toFixed(10))
  if (digits === undefined) return `${Number(exact.toFixed(4))}%`
  const unit = 10 ** digits
  return `${(Math.floor(Number((exact * unit).toFixed(8))) / unit).toFixed(digits)}%`
}

/** '1 trial', '2 trials'. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

const MAX_TEXT = 500

/**
 * A text from outside (a target's message, say) on one line, shortened, and with every control character made
 * visible, so that it can do nothing to a terminal.
 */
export function oneLine(text: string): string {
  const short = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text
  return visible(short.replace(/\s+/g, ' '))
}

/** A text of which nothing may be lost (a command to copy, say), with every control character made visible. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => {
    return `\\x${character.codePointAt(0)!.toString(16).padStart(2, '0')}`
  })
}

/**
 * The same for a message that may have several lines. The later ones are indented: whatever is in it, none of them can be
 * taken for a message of its own.
 */
export function visibleLines(text: string): string {
  return text.split('\n').map(visible).join('\n  ')
}

/** Breaks a text into lines at its spaces; a word that is longer than a line stays whole. */
export function wrap(text: string, width: number): string[] {
  return fill(
    text.split(' ').map((word, index) => (index === 0 ? word : ` ${word}`)),
    width,
  )
}

/** Puts chunks onto lines of at most the width, as long as a chunk allows. A line does not begin with a space. */
export function fill(chunks: readonly string[], width: number): string[] {
  const lines: string[] = []
  for (const chunk of chunks) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + chunk.length <= width) lines[lines.length - 1] = last + chunk
    else lines.push(chunk.trimStart())
  }
  return lines
}
