import type { Page } from '../report/page.js'

/** @param text as the html reporter writes it: JSON, deflated, in base64 */
export async function readPage(text: string): Promise<Page> {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
  const inflated = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'))
  return JSON.parse(await new Response(inflated).text()) as Page
}
