/**
 * Runs a trial as often as is wanted, one after the other. Where the run is stopped meanwhile, what is done of it stays.
 *
 * @param once runs it for the nth time, from 1
 * @throws what it throws, unless it was stopped after the first time
 */
export async function repeat<T>(
  times: number,
  signal: AbortSignal,
  once: (nth: number) => Promise<T>,
): Promise<[T, ...T[]]> {
  const done: [T, ...T[]] = [await once(1)]
  while (done.length < times && !signal.aborted) {
    try {
      done.push(await once(done.length + 1))
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }
  return done
}
