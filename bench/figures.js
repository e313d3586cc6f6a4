// How figures are printed: a name, a value, and for a ratio its spread and its goal.

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

export function row(name, text) {
  console.log(`${name.padEnd(52)} ${text}`)
}

export function ratio(name, values, goal) {
  const sorted = [...values].sort((a, b) => a - b)
  const [low, high] = [sorted[0], sorted.at(-1)].map((value) => value.toFixed(2))
  row(name, `${median(values).toFixed(2)}x (${low} to ${high}; goal: ${goal})`)
}
