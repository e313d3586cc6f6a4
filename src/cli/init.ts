/** `init`: from an empty directory to a run and a check, with three questions at most. */
import { chmod, mkdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { HostError, UsageError } from '../errors.js'
import { replaceFile } from '../results/files.js'
import { whenMissing } from '../results/folder.js'
import { asOwner } from '../results/owner.js'
import { selectScenarios } from '../scenario/load.js'
import { BUILTIN_DIRECTORY, familiesOf, namesIn } from '../scenario/names.js'
import { nearest } from '../scenario/nearest.js'
import { resolveTarget } from '../target/resolve.js'
import { CONFIG_FILE } from './config.js'
import {
  type Answers,
  CI_SERVICES,
  ciFile,
  configFile,
  isTargetFile,
  type ProjectFile,
  targetFiles,
} from './init-files.js'
import type { Language } from './options.js'
import { toolPackage } from './package.js'
import type { Output, Screen } from './screen.js'

export interface InitOptions {
  readonly target?: string
  readonly scenarios?: string
  readonly ci?: string
  /** Of the adapter; what the directory looks like, unless given. */
  readonly language?: Language
  /** A share from 0 to 1. */
  readonly gate: number
  readonly seed?: string
  readonly yes?: true
  readonly force?: true
}

/** What every database meets, and done in minutes. */
const USUAL_SCENARIOS = 'diskfull,permissions'

interface Question<T = unknown> {
  readonly option: 'target' | 'scenarios' | 'ci'
  readonly text: string
  readonly usual: string
  /** What an answer means. @throws UsageError */
  check(answer: string): T | Promise<T>
}

/** Somebody at a terminal. */
interface Person {
  ask(text: string): Promise<string>
  tell(text: string): void
}

/** Writes the config, an adapter where there is none, and the step for a CI. */
export async function init(options: InitOptions, screen: Screen): Promise<void> {
  await withPerson(options, screen.err, async (person) => {
    const answers = await settle(options, person)
    const { version } = toolPackage()
    const files = [
      configFile(CONFIG_FILE, answers),
      ...(await missingTarget(answers.target, options.language ?? (await usualLanguage()))),
      ...(answers.ci === 'none' ? [] : [await ciFile(answers.ci, version)]),
    ]
    const wanted = options.force ? files : await withoutTheirs(files, person)
    await asOwner(await stat('.'), async () => {
      for (const file of wanted) await put(file)
    })
    const width = Math.max(...files.map((file) => file.path.length))
    for (const file of files) {
      const what = wanted.includes(file) ? 'wrote' : 'kept '
      screen.out.write(`${what}  ${file.path.padEnd(width)}  ${file.about}\n`)
    }
    if (answers.ci === 'gitlab')
      screen.out.write(`add to .gitlab-ci.yml: include: [{ local: ${CI_SERVICES.gitlab.file} }]\n`)
    screen.out.write('next:  npx lightning-chaos run\n')
  })
}

async function settle(options: InitOptions, person: Person | undefined): Promise<Answers> {
  const families = familiesOf(await namesIn(BUILTIN_DIRECTORY))
  const target: Question<string> = {
    option: 'target',
    text: 'What is tested: a target file (made where it is not there), lightning, or sqlite?',
    usual: './chaos/target.yaml',
    check: checkTarget,
  }
  const scenarios: Question<string[]> = {
    option: 'scenarios',
    text: `Which scenarios: ${families.join(', ')}, or single ones?`,
    usual: USUAL_SCENARIOS,
    check: checkScenarios,
  }
  const ci: Question<Answers['ci']> = {
    option: 'ci',
    text: `Where does the check run: ${[...Object.keys(CI_SERVICES), 'none'].join(', ')}?`,
    usual: await usualCi(),
    check: checkCi,
  }
  const open = [target, scenarios, ci].filter(({ option }) => options[option] === undefined)
  if (open.length > 0 && !options.yes && person === undefined) {
    throw new UsageError(
      `there is no terminal to ask in, and no ${open.map(({ option }) => `--${option}`).join(', ')}`,
      { hint: `--yes takes ${open.map(({ option, usual }) => `--${option} ${usual}`).join(' ')}` },
    )
  }
  const answer = async <T>(question: Question<T>): Promise<T> => {
    const given = options[question.option] ?? (options.yes ? question.usual : undefined)
    return given === undefined ? await askUntil(person!, question) : await question.check(given)
  }
  return {
    target: await answer(target),
    scenarios: await answer(scenarios),
    ci: await answer(ci),
    gate: options.gate,
    seed: options.seed,
  }
}

async function askUntil<T>(person: Person, { text, usual, check }: Question<T>): Promise<T> {
  for (;;) {
    const answer = (await person.ask(`${text} (${usual}) `)) || usual
    try {
      return await check(answer)
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      person.tell([error.message, error.hint ?? ''].filter((line) => line !== '').join('\n'))
    }
  }
}

async function checkTarget(answer: string): Promise<string> {
  if (!isTargetFile(answer) || (await isThere(answer))) await resolveTarget({ target: answer })
  return answer
}

async function checkScenarios(answer: string): Promise<string[]> {
  const selectors = answer.split(',').map((each) => each.trim())
  await selectScenarios(selectors)
  return selectors
}

function checkCi(answer: string): Answers['ci'] {
  const choices = [...Object.keys(CI_SERVICES), 'none']
  if (choices.includes(answer)) return answer as Answers['ci']
  const near = nearest(answer, choices)
  throw new UsageError(`there is no '${answer}' for --ci`, {
    hint: near === undefined ? `there is ${choices.join(', ')}` : `did you mean ${near}?`,
  })
}

async function usualCi(): Promise<string> {
  if (await isThere('.github')) return 'github'
  return (await isThere('.gitlab-ci.yml')) ? 'gitlab' : 'shell'
}

async function usualLanguage(): Promise<Language> {
  if (await isThere('package.json')) return 'js'
  for (const file of ['pyproject.toml', 'setup.py', 'requirements.txt'])
    if (await isThere(file)) return 'python'
  return 'js'
}

/** The target file where it is not there, and the adapter where that is not there either. */
async function missingTarget(target: string, language: Language): Promise<ProjectFile[]> {
  if (!isTargetFile(target) || (await isThere(target))) return []
  const [file, adapter] = await targetFiles(target, language)
  return (await isThere(adapter.path)) ? [file] : [file, adapter]
}

/**
 * The files but for those that are there already and shall stay as they are.
 * @throws UsageError where there are such files and nobody to ask
 */
async function withoutTheirs(
  files: readonly ProjectFile[],
  person: Person | undefined,
): Promise<ProjectFile[]> {
  const wanted: ProjectFile[] = []
  const theirs: string[] = []
  for (const file of files) {
    if (!(await isThere(file.path))) wanted.push(file)
    else if (person === undefined) theirs.push(file.path)
    else if (/^y(es)?$/i.test(await person.ask(`${file.path} is there already. Overwrite it? (no) `)))
      wanted.push(file)
  }
  if (theirs.length === 0) return wanted
  throw new UsageError(`${theirs.join(' and ')} ${theirs.length === 1 ? 'is' : 'are'} there already`, {
    hint: 'nothing was written; --force overwrites',
  })
}

async function put({ path: file, text, executable }: ProjectFile): Promise<void> {
  try {
    await mkdir(path.dirname(file), { recursive: true })
    await replaceFile(file, text)
    if (executable) await chmod(file, 0o755)
  } catch (cause) {
    if (cause instanceof HostError) throw cause
    throw new HostError(`${file} could not be written: ${(cause as Error).message}`, { cause })
  }
}

/** Calls `use` with whoever sits at the terminal; with nobody where there is none, or --yes has answered already. */
async function withPerson(
  { yes }: InitOptions,
  output: Output,
  use: (person: Person | undefined) => Promise<void>,
): Promise<void> {
  if (yes || process.stdin.isTTY !== true || !output.interactive) return await use(undefined)
  // no editing of lines by us: Ctrl-C then ends the process, before anything is written
  const lines = createInterface({ input: process.stdin, terminal: false })
  const answers = lines[Symbol.asyncIterator]()
  try {
    await use({
      tell: (text) => output.write(`${text}\n`),
      async ask(text) {
        output.write(text)
        const { done, value } = await answers.next()
        if (done) throw new UsageError('there was no answer; nothing was written')
        return value.trim()
      },
    })
  } finally {
    lines.close()
  }
}

async function isThere(file: string): Promise<boolean> {
  return (await stat(file).catch(whenMissing(undefined))) !== undefined
}
