/** Direct evidence without root: glass itself counts the errors that it answered the target's operations with. */
import type { GlassClient } from '../glass/client.js'
import type { ErrorTrace } from './error-trace.js'

export class GlassTrace implements ErrorTrace {
  readonly name = 'glass'
  readonly #client: GlassClient
  #errnos: readonly string[] = []

  constructor(client: GlassClient) {
    this.#client = client
  }

  async arm(errnos: readonly string[]): Promise<void> {
    this.#errnos = errnos
    await this.#client.watch()
  }

  async disarm(): Promise<ReadonlyMap<string, number>> {
    const { errors } = await this.#client.state()
    return new Map(Object.entries(errors).filter(([errno]) => this.#errnos.includes(errno)))
  }
}
