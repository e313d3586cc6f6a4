/** What of the report is shown. All of it stands in the page's address, so that it can be shared. */
export interface Shown {
  readonly scenario?: string | undefined
  /** The id of the trial that is open. */
  readonly trial?: string | undefined
  readonly verdict?: string | undefined
  readonly family?: string | undefined
  readonly violation?: string | undefined
}

const FIELDS = ['scenario', 'trial', 'verdict', 'family', 'violation'] as const

/** @param hash of an address: '#verdict=failed&trial=1f09c2a7b3de.4' */
export function shownFrom(hash: string): Shown {
  const parameters = new URLSearchParams(hash.replace(/^#/, ''))
  const found = FIELDS.map((field) => [field, parameters.get(field)] as const)
  return Object.fromEntries(found.filter(([, value]) => value !== null && value !== ''))
}

export function hashOf(shown: Shown): string {
  const parameters = new URLSearchParams()
  for (const field of FIELDS) if (shown[field] !== undefined) parameters.set(field, shown[field])
  // a slash needs no escape there, and names of scenarios have one
  return `#${parameters.toString().replaceAll('%2F', '/')}`
}
