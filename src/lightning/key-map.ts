/**
 * The index in memory: where the value of each key lies, in key order. A list of sorted leaves: a lookup is two
 * binary searches, a scan walks the leaves, and the numbers stand in typed arrays, so a key costs its string and
 * about thirty bytes.
 */

/** Where an entry lies: the slot of its segment, its offset in the file, its length. */
export interface Place {
  readonly slot: number
  readonly offset: number
  readonly length: number
}

const LEAF = 128
const FIELDS = 3

class Leaf {
  keys: string[] = []
  readonly places = new Uint32Array(LEAF * FIELDS)
}

export class KeyMap {
  readonly #leaves: Leaf[] = [new Leaf()]
  #size = 0
  /** The leaf of the last lookup: keys that come in order find theirs there. */
  #finger = 0

  get size(): number {
    return this.#size
  }

  get(key: string): Place | undefined {
    const leaf = this.#leaves[this.#leafFor(key)]!
    const at = lowerBound(leaf.keys, key)
    return leaf.keys[at] === key ? placeAt(leaf, at) : undefined
  }

  /** Sets the place of a key and returns the one that it replaced. */
  set(key: string, slot: number, offset: number, length: number): Place | undefined {
    let leaf = this.#leaves[this.#leafFor(key)]!
    let at = lowerBound(leaf.keys, key)
    let previous: Place | undefined
    if (leaf.keys[at] === key) {
      previous = placeAt(leaf, at)
    } else {
      if (leaf.keys.length === LEAF) {
        leaf = this.#split(this.#finger, at)
        at = lowerBound(leaf.keys, key)
      }
      if (at === leaf.keys.length) {
        leaf.keys.push(key)
      } else {
        leaf.places.copyWithin((at + 1) * FIELDS, at * FIELDS, leaf.keys.length * FIELDS)
        leaf.keys.splice(at, 0, key)
      }
      this.#size++
    }
    leaf.places[at * FIELDS] = slot
    leaf.places[at * FIELDS + 1] = offset
    leaf.places[at * FIELDS + 2] = length
    return previous
  }

  /** Removes a key and returns the place that it had. */
  delete(key: string): Place | undefined {
    const index = this.#leafFor(key)
    const leaf = this.#leaves[index]!
    const at = lowerBound(leaf.keys, key)
    if (leaf.keys[at] !== key) return undefined
    const previous = placeAt(leaf, at)
    leaf.places.copyWithin(at * FIELDS, (at + 1) * FIELDS, leaf.keys.length * FIELDS)
    leaf.keys.splice(at, 1)
    this.#size--
    if (leaf.keys.length === 0 && this.#leaves.length > 1) this.#leaves.splice(index, 1)
    return previous
  }

  /** Keys greater than `after` (from the first where it is undefined) with their places, in order. */
  *after(after: string | undefined): Generator<[key: string, place: Place]> {
    let index = after === undefined ? 0 : this.#leafFor(after)
    let at = after === undefined ? 0 : upperBound(this.#leaves[index]!.keys, after)
    for (; index < this.#leaves.length; index++, at = 0) {
      const leaf = this.#leaves[index]!
      for (; at < leaf.keys.length; at++) yield [leaf.keys[at]!, placeAt(leaf, at)]
    }
  }

  /** The leaf that holds `key` or is the one to put it in: the last whose first key is not greater. */
  #leafFor(key: string): number {
    const leaves = this.#leaves
    let low = 0
    let high = leaves.length - 1
    const finger = Math.min(this.#finger, high)
    if (leaves[finger]!.keys[0]! <= key) {
      low = finger
      if (finger < high && key < leaves[finger + 1]!.keys[0]!) high = finger
    }
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (leaves[middle]!.keys[0]! <= key) low = middle
      else high = middle - 1
    }
    this.#finger = low
    return low
  }

  /**
   * Makes room in a full leaf for a key that belongs at `at`, and returns the leaf that it now belongs to. Keys
   * that come in ascending order leave full leaves behind; others split theirs in the middle.
   */
  #split(index: number, at: number): Leaf {
    const left = this.#leaves[index]!
    const right = new Leaf()
    const middle = at === LEAF ? LEAF : LEAF / 2
    right.keys = left.keys.splice(middle)
    right.places.set(left.places.subarray(middle * FIELDS))
    this.#leaves.splice(index + 1, 0, right)
    return at < middle ? left : right
  }
}

function placeAt(leaf: Leaf, at: number): Place {
  const { places } = leaf
  return {
    slot: places[at * FIELDS]!,
    offset: places[at * FIELDS + 1]!,
    length: places[at * FIELDS + 2]!,
  }
}

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  if (high > 0 && keys[high - 1]! < key) return high
  while (low < high) {
    const middle = (low + high) >>> 1
    if (keys[middle]! < key) low = middle + 1
    else high = middle
  }
  return low
}

function upperBound(keys: readonly string[], key: string): number {
  const at = lowerBound(keys, key)
  return keys[at] === key ? at + 1 : at
}
