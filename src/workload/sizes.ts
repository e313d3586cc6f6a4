import type { Random } from './random.js'
import type { WorkloadSpec } from './spec.js'

const PAGE = 4096

type Shape = (stream: Random, largest: number) => number

/** Uniform in the number of digits, so that small sizes are as likely as large ones. */
function logUniform(stream: Random, low: number, high: number): number {
  return Math.floor(low * (high / low) ** stream.fraction())
}

const powerOfTwo: Shape = (stream, largest) => {
  const exponent = stream.integer(1, Math.max(1, Math.floor(Math.log2(largest))))
  return 2 ** exponent + stream.integer(-1, 1)
}

/** Around a page boundary: on it, one off, or short of it by about what a store's record frame takes. */
const aroundPage: Shape = (stream, largest) => {
  const pages = logUniform(stream, 1, Math.max(1, largest / PAGE) + 1)
  const offset = stream.chance(0.5) ? stream.integer(-1, 1) : -stream.integer(8, 64)
  return pages * PAGE + offset
}

/** Weights make the median some 300 bytes: a volume of a few MiB is not full at once. */
const SHAPES: readonly (readonly [weight: number, shape: Shape])[] = [
  [0.04, () => 0],
  [0.04, () => 1],
  [0.46, (stream) => logUniform(stream, 2, 512)],
  [0.32, (stream) => logUniform(stream, 256, PAGE)],
  [0.08, powerOfTwo],
  [0.05, aroundPage],
  [0.01, (stream, largest) => stream.integer(0, largest)],
]

/** The size of a value in bytes, never above what `sizes` allows. */
export function drawSize(stream: Random, sizes: WorkloadSpec['sizes']): number {
  if ('fixed' in sizes) return sizes.fixed
  return Math.min(sizes.largest, stream.weighted(SHAPES)(stream, sizes.largest))
}
