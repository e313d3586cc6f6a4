/**
 * Randomness that is keyed: a stream is named by a seed and a path, so what one stream gives never depends on how
 * much was drawn from another. A recorded seed has to mean the same trial for ever; the golden vectors in the test
 * hold these numbers still across releases.
 */

const STRING_END = 0x10000
const NUMBER_END = 0x10001

/** 128 bits that depend on every part of a path and on where the parts end. Not for secrets. */
export function digest(
  seed: string,
  ...path: readonly (string | number)[]
): readonly [number, number, number, number] {
  let a = 0x9e3779b9
  let b = 0x243f6a88
  let c = 0xb7e15162
  let d = 0x6a09e667
  const absorb = (unit: number) => {
    a = Math.imul(a ^ unit, 0x85ebca6b)
    a ^= a >>> 15
    b = Math.imul(b ^ unit ^ a, 0xc2b2ae35)
    b ^= b >>> 13
    c = Math.imul(c ^ unit ^ b, 0x27d4eb2f)
    c ^= c >>> 16
    d = Math.imul(d ^ unit ^ c, 0x165667b1)
    d ^= d >>> 14
  }
  const absorbPart = (part: string | number) => {
    const text = String(part)
    for (let i = 0; i < text.length; i++) absorb(text.charCodeAt(i))
    // Above every UTF-16 code unit, so that ('ab', 'c') and ('a', 'bc') and (1) and ('1') all differ.
    absorb(typeof part === 'number' ? NUMBER_END : STRING_END)
  }
  absorbPart(seed)
  for (const part of path) absorbPart(part)
  // The last unit has gone through each lane only once; these rounds spread it over all bits of all four.
  for (let round = 0; round < 4; round++) absorb(d & 0xffff)
  return [a >>> 0, b >>> 0, c >>> 0, d >>> 0]
}

/** A stream of random numbers: Chris Doty-Humphrey's sfc32 (128 bits of state, passes PractRand). */
export class Random {
  #a: number
  #b: number
  #c: number
  #counter: number

  constructor(state: readonly [number, number, number, number]) {
    this.#a = state[0] | 0
    this.#b = state[1] | 0
    this.#c = state[2] | 0
    this.#counter = state[3] | 0
    // Its author's advice: a dozen rounds until a poor state is well mixed.
    for (let i = 0; i < 12; i++) this.uint32()
  }

  /** 0 to 2^32 - 1. */
  uint32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  /** 0 (inclusive) to 1 (exclusive), with 53 random bits. */
  fraction(): number {
    return ((this.uint32() >>> 5) * 0x4000000 + (this.uint32() >>> 6)) / 0x20000000000000
  }

  /** A whole number from `low` to `high`, both included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.fraction() * (high - low + 1))
  }

  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.integer(0, items.length - 1)]!
  }

  /** One of the choices, each as likely as its weight says; weights are not negative, and one is above 0. */
  weighted<T>(choices: readonly (readonly [weight: number, choice: T])[]): T {
    const likely = choices.filter(([weight]) => weight > 0)
    let left = this.fraction() * likely.reduce((sum, [weight]) => sum + weight, 0)
    for (const [weight, choice] of likely) {
      left -= weight
      if (left < 0) return choice
    }
    // Rounding of the sum can leave a hair over.
    return likely.at(-1)![1]
  }

  /** `count` different whole numbers below `bound` (`count` <= `bound`), by Floyd's algorithm: no retries. */
  sample(count: number, bound: number): number[] {
    const chosen = new Set<number>()
    for (let top = bound - count; top < bound; top++) {
      const candidate = this.integer(0, top)
      chosen.add(chosen.has(candidate) ? top : candidate)
    }
    return [...chosen]
  }
}

/** The stream named by `seed` and `path`; the same name always gives the same numbers. */
export function random(seed: string, ...path: readonly (string | number)[]): Random {
  return new Random(digest(seed, ...path))
}
