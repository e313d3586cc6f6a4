// Ends the run of the tests with one plain line, and names what was skipped. With NO_SKIPS set, a skip is a failure as root,
// whom only a missing package could stop; an ordinary user may not do what many tests do, and no package changes that.
const isRoot = process.getuid() === 0
const REASON = `this host${isRoot ? '' : ', or this user,'} lacks what it needs`

export default class ClosingLine {
  onTestRunEnd(modules, errors) {
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    const count = (state) => tests.filter((test) => test.result().state === state).length
    const skipped = tests.filter((test) => test.result().state === 'skipped')
    const broken = modules.filter(
      (module) =>
        module.state() === 'failed' &&
        ![...module.children.allTests()].some((test) => test.result().state === 'failed'),
    )
    for (const test of skipped) console.log(`skipped: ${test.fullName} (${test.result().note ?? REASON})`)
    if (skipped.length > 0 && !isRoot)
      console.log(
        'an ordinary user cannot do what these need; root runs them, too, and skips none: sudo npm run test:all',
      )
    else if (skipped.length > 0 && process.env.NO_SKIPS) {
      console.log('a skip is a failure here: everything that the tests need was installed')
      process.exitCode = 1
    }
    console.log(
      `${count('passed')} passed, ${count('failed') + broken.length + errors.length} failed, ${skipped.length} skipped`,
    )
  }
}
