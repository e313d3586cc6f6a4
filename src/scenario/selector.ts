/**
 * Whether a name is one of those that a selector names: itself ('diskfull/flapping'), a family ('diskfull'), or a
 * pattern in which `*` stands for anything ('*\/chmod*').
 */
export function matcher(selector: string): (name: string) => boolean {
  if (!selector.includes('*')) return (name) => name === selector || name.startsWith(`${selector}/`)
  const pattern = selector.split('*').map((literal) => literal.replace(/[\\^$.+?()[\]{}|]/g, '\\$&'))
  const expression = new RegExp(`^${pattern.join('.*')}$`)
  return (name) => expression.test(name)
}
