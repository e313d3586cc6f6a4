/** How often what others gave back is taken again. */
const EVERY_MS = 100

export interface Keeping {
  /** Settles once the last piece of work is done. Rejects with what went wrong in one. */
  end(): Promise<void>
}

/** Does a piece of work again and again, one at a time, until it is ended. */
export function keep(work: () => Promise<void>): Keeping {
  let last: Promise<void> = Promise.resolve()
  let failed: unknown
  const timer = setInterval(() => {
    last = last.then(work).catch((error) => {
      failed = error
      clearInterval(timer)
    })
  }, EVERY_MS)
  return {
    async end() {
      clearInterval(timer)
      await last
      if (failed !== undefined) throw failed
    },
  }
}
