/** Finds and reads scenarios: the built-in ones by name, the user's own by path. */
import path from 'node:path'
import { InternalError, UsageError } from '../errors.js'
import { FAULTS } from '../fault/index.js'
import { VOLUMES } from '../volume/index.js'
import { checkScenario } from './check.js'
import { BUILTIN_DIRECTORY, familiesOf, namesIn, SUFFIX } from './names.js'
import { nearest } from './nearest.js'
import { type Scenario, scenarioSchema } from './schema.js'
import { matcher } from './selector.js'
import { readTextFile } from './text-file.js'
import { parseYaml } from './yaml.js'

const checkedSchema = scenarioSchema.superRefine((scenario, context) => {
  for (const { path, text } of checkScenario(scenario, { volumes: VOLUMES, faults: FAULTS }))
    context.addIssue({ code: 'custom', path: [...path], message: text })
})

/**
 * Reads and checks a scenario file.
 * @throws UsageError that says what is wrong with the file, with line and column where it is in the text
 */
export async function loadScenarioFile(file: string): Promise<Scenario> {
  const text = await readTextFile(file, 'a scenario', 'lightning-chaos list shows the built-in scenarios')
  return parseYaml(file, text, checkedSchema)
}

async function loadNamed(directory: string, name: string): Promise<Scenario> {
  const file = path.join(directory, `${name}.yaml`)
  const scenario = await loadScenarioFile(file)
  if (scenario.name !== name)
    throw new InternalError(`${file}: its name is '${scenario.name}', expected '${name}'`)
  return scenario
}

/** Every built-in scenario, by name. */
export async function builtinScenarios(): Promise<Scenario[]> {
  return (await selectScenarios([])).map(({ scenario }) => scenario)
}

export interface Selected {
  readonly scenario: Scenario
  readonly source: { readonly builtin: true } | { readonly file: string }
}

/**
 * The scenarios that the selectors name, each once, in the order in which they are named; all built-in ones where
 * there is no selector. A selector is a family ('diskfull'), a name ('diskfull/flapping'), a pattern in which `*`
 * stands for anything ('*\/chmod*'), or a file ('./my.yaml'; anything that ends so, or begins with a path).
 *
 * @param directory holds the built-in scenarios
 * @throws UsageError for one that names nothing, with the name that was probably meant
 */
export async function selectScenarios(
  selectors: readonly string[],
  directory = BUILTIN_DIRECTORY,
): Promise<Selected[]> {
  const names = await namesIn(directory)
  const selected = new Map<string, Selected>()
  for (const selector of selectors.length === 0 ? ['*'] : selectors) {
    for (const found of await select(selector, names, directory)) {
      const other = selected.get(found.scenario.name)
      if (other !== undefined && origin(other) !== origin(found))
        throw new UsageError(
          `two scenarios are called '${found.scenario.name}': ${origin(other)} and ${origin(found)}`,
          { hint: 'give one of them another name' },
        )
      selected.set(found.scenario.name, found)
    }
  }
  return [...selected.values()]
}

async function select(selector: string, names: readonly string[], directory: string): Promise<Selected[]> {
  if (isFile(selector)) return [{ scenario: await loadScenarioFile(selector), source: { file: selector } }]
  const matching = names.filter(matcher(selector))
  if (matching.length === 0) throw unknown(selector, names)
  return await Promise.all(
    matching.map(async (name) => ({
      scenario: await loadNamed(directory, name),
      source: { builtin: true } as const,
    })),
  )
}

function isFile(selector: string): boolean {
  return SUFFIX.test(selector) || /^\.{0,2}[/\\]|^\.{1,2}$/.test(selector) || path.isAbsolute(selector)
}

function unknown(selector: string, names: readonly string[]): UsageError {
  const families = familiesOf(names)
  const near = nearest(selector, [...families, ...names])
  const hint =
    near === undefined
      ? `there is ${[...families].join(', ')}; lightning-chaos list shows every scenario`
      : `did you mean ${near}?`
  return new UsageError(
    selector.includes('*') ? `no scenario matches '${selector}'` : `no scenario is called '${selector}'`,
    { hint },
  )
}

function origin({ source }: Selected): string {
  return 'file' in source ? path.resolve(source.file) : 'the built-in one'
}
