/** What of a URL is shown, and what of it is meant. */
import { UsageError } from '../../errors.js'

/** From the colon behind a user, which is not that of a port, to the last @ of the word: a password may have one in it. */
const PASSWORD = /(\w+:\/\/[^:@/?#[\s]*:)(?!\d+([/?#\s]|$))\S*@/g

/** A text with … in the place of every password that a URL in it has. */
export function withoutPassword(text: string): string {
  return text.replace(PASSWORD, '$1…@')
}

/** What a part of a URL means. @param called the URL in an error; @throws UsageError */
export function decoded(part: string, called: string): string {
  try {
    return decodeURIComponent(part)
  } catch (cause) {
    throw new UsageError(`${called}: a % in it stands for no character`, {
      hint: "'%25' stands for one of its own",
      cause,
    })
  }
}
