// How figures are printed: a name, a value, and for a ratio its spread and its goal.

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

export function row(name, text) {
  console.log(`${name.padEnd(52)} ${text}`)
}

/** The spread is the middle half of the values: of few it is all of them, of many it leaves out the odd moments of a disk. */
export function ratio(name, values, goal) {
  const sorted = [...values].sort((a, b) => a - b)
  const quarter = Math.floor(sorted.length / 4)
  const [low, high] = [sorted[quarter], sorted.at(-1 - quarter)].map((value) => value.toFixed(2))
  row(name, `${median(values).toFixed(2)}x (${low} to ${high}; goal: ${goal})`)
}
