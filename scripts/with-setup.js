'use strict';

// Behind `npm start` and `npm test`: makes a fresh checkout ready, then does what was asked. Plain
// JavaScript without dependencies, because it runs before anything is installed.

const { spawn, spawnSync } = require('node:child_process');
const { createHash } = require('node:crypto');
const {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');

const ROOT = join(__dirname, '..');
const STAMP = join(ROOT, 'node_modules', '.azimuth-installed');
const NODE_MIN = [20, 19];
const SUITES = ['test:unit', 'test:simulation', 'test:integration', 'test:chaos'];

function main() {
  const [task, ...args] = process.argv.slice(2);
  checkNode();
  installIfNeeded();
  run('npm', ['run', '--silent', 'build'], 'building');
  if (task === 'start') start(args);
  else if (task === 'test') test(args);
  else fail(`unknown task ${task}; expected start or test`);
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])) return;
  fail(`Node ${NODE_MIN.join('.')} or later is needed; this is ${process.version}`);
}

/** Installs when there are no modules, or they are of another lock file than the present one. */
function installIfNeeded() {
  const lockFile = join(ROOT, 'package-lock.json');
  // npm writes this one last, so it says when the installation was complete.
  const installed = join(ROOT, 'node_modules', '.package-lock.json');
  const lock = createHash('sha256').update(readFileSync(lockFile)).digest('hex');
  const isCurrent = existsSync(STAMP)
    ? readFileSync(STAMP, 'utf8') === lock
    : existsSync(installed) && statSync(installed).mtimeMs > statSync(lockFile).mtimeMs;
  if (!isCurrent) run('npm', ['ci'], 'installing');
  writeFileSync(STAMP, lock);
}

function start(args) {
  const program = join(ROOT, 'packages', 'cli', 'dist', 'main.js');
  const data = args.some((arg) => arg === '--data' || arg.startsWith('--data='))
    ? []
    : ['--data', '.azimuth'];
  const child = spawn(process.execPath, [program, 'dev', ...data, ...args], {
    cwd: ROOT,
    stdio: 'inherit',
  });
  // Ctrl-C reaches the child by the terminal; a SIGTERM to us does not.
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  process.on('SIGINT', () => undefined);
  child.on('exit', (code) => process.exit(code ?? 1));
}

/** Runs every suite, also after a failed one, and ends with one line that sums them up. */
function test(args) {
  const directory = mkdtempSync(join(tmpdir(), 'azimuth-test-'));
  let passed = 0;
  let failed = 0;
  for (const suite of SUITES) {
    const output = join(directory, `${suite.replace(':', '-')}.json`);
    const jestArgs = ['--json', `--outputFile=${output}`, '--passWithNoTests', ...args];
    const { status } = spawnSync('npm', ['run', '--silent', suite, '--', ...jestArgs], {
      cwd: ROOT,
      // `--json` would print the whole result on standard output; people read the report instead.
      stdio: ['inherit', 'ignore', 'inherit'],
    });
    const result = existsSync(output) ? JSON.parse(readFileSync(output, 'utf8')) : null;
    passed += result?.numPassedTests ?? 0;
    failed += (result?.numFailedTests ?? 0) + (result?.numRuntimeErrorTestSuites ?? 0);
    // Something failed that no test stands for, such as a crash of the runner.
    if (status !== 0 && (result === null || result.success)) failed += 1;
  }
  rmSync(directory, { recursive: true, force: true });
  console.log(`tests: ${passed} passed, ${failed} failed`);
  process.exit(failed === 0 && passed > 0 ? 0 : 1);
}

function run(program, args, what) {
  console.error(`${what} …`);
  const { status } = spawnSync(program, args, {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0) fail(`${what} failed`);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}

main();
