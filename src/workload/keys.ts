/** Key `index` differs from all others: its number is in it, and no two shapes share a beginning. */
type Shape = (index: string) => string

const plain: Shape = (index) => `k${index}`
const sharedPrefix: Shape = (index) => `account/0000000000/profile/${index}`
const long: Shape = (index) => `long/${'abcdefgh/'.repeat(25)}${index}`
const quoted: Shape = (index) => `it's "100%" \\_${index}`
const latin: Shape = (index) => `schlüssel-${index}`
// UTF-16 sorts the astral key before the fullwidth one, UTF-8 after it: an order by the wrong units shows.
const fullwidth: Shape = (index) => `ｋｅｙ-${index}`
const astral: Shape = (index) => `🗝-${index}`

/** As many as a prime, so that every shape goes round all clients. Plain ones come first: a single key is a plain one. */
const SHAPES: readonly Shape[] = [
  ...[plain, plain, sharedPrefix, plain, astral, plain, sharedPrefix, plain, fullwidth],
  ...[plain, long, plain, sharedPrefix, latin, plain, quoted, sharedPrefix],
]

/** `count` different keys: mostly short ASCII, some long, some with a common prefix, some outside ASCII. */
export function makeKeys(count: number): readonly string[] {
  const digits = String(count - 1).length
  return Array.from({ length: count }, (_, i) => SHAPES[i % SHAPES.length]!(String(i).padStart(digits, '0')))
}
