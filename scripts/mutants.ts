/**
 * Tests the tests: plants one known fault after the other in a copy of the sources, and tells
 * whether the suites that should notice do.
 *
 * Usage: npm run mutants -- [--only TEXT] [--from NUMBER] [--to NUMBER] [--check]
 *   [--results FILE] [--table]
 *
 * Ends with 1 when a fault survives. `--check` runs whatever noticed a fault once more without it:
 * what fails anyway proves nothing. `--results` keeps what was found from run to run as JSON;
 * `--table` prints it as docs/mutants.md has it.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { DATA_PATH_MUTANTS } from './mutants/data-path-mutants';
import type { Mutant, Suite } from './mutants/mutant';
import { RAFT_MUTANTS } from './mutants/raft-mutants';
import { STORAGE_MUTANTS } from './mutants/storage-mutants';
import { containsName, namedChoices } from './named-choices';
import { wholeNumberOption } from './number-option';

const MUTANTS: readonly Mutant[] = [...RAFT_MUTANTS, ...STORAGE_MUTANTS, ...DATA_PATH_MUTANTS];

const ROOT = process.cwd();
const COPIED = ['proto', 'test', 'scripts', 'jest.config.js', 'jest.preset.js', 'package.json'];
const TIMEOUT_MS = 400_000;

interface Result {
  readonly commit: string;
  /** Null when the fault survived. */
  readonly caughtBy: string | null;
  readonly firstFailure: string;
  readonly seconds: number;
}

/** The workspace without what is built, with its own links between the packages. */
function makeCopy(directory: string): void {
  for (const path of COPIED) cpSync(join(ROOT, path), join(directory, path), { recursive: true });
  const modules = join(directory, 'node_modules');
  mkdirSync(join(modules, '@azimuth'), { recursive: true });
  for (const name of readdirSync(join(ROOT, 'node_modules'))) {
    if (name !== '@azimuth') symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  }
  for (const name of readdirSync(join(ROOT, 'packages'))) {
    for (const part of ['src', 'test', 'kernel', 'package.json', 'node_modules']) {
      const source = join(ROOT, 'packages', name, part);
      const target = join(directory, 'packages', name, part);
      if (existsSync(source)) cpSync(source, target, { recursive: true, verbatimSymlinks: true });
    }
    symlinkSync(join(directory, 'packages', name), join(modules, '@azimuth', name));
  }
}

function run(
  directory: string,
  { args }: Suite,
): { readonly isFailed: boolean; readonly isEnded: boolean; readonly text: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: directory,
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    maxBuffer: 256 * 1024 * 1024,
  });
  const isEnded = status !== null;
  // A suite that does not end in time has noticed nothing.
  return { isFailed: isEnded && status !== 0, isEnded, text: `${stdout}${stderr}` };
}

/** The test, the seed or the schedule that failed. */
function firstFailure(text: string): string {
  const test = /^ +✕ (.*?)( \(\d+ m?s\))?$/m.exec(text)?.[1] ?? /● (.*)/.exec(text)?.[1];
  const seed = /^(seed=\d+)/m.exec(text)?.[1];
  const schedule = /^([a-z-]+ \{"[^}]*\}.*?) · replay/m.exec(text)?.[1];
  const property = /^(.*), after$/m.exec(text)?.[1];
  return test ?? seed ?? schedule ?? property ?? text.trim().split('\n').at(-1) ?? 'no end in time';
}

function judge(directory: string, { by }: Mutant, commit: string): Result {
  const startMs = performance.now();
  const secondsNow = (): number => Math.round((performance.now() - startMs) / 1000);
  for (const suite of by) {
    const { isFailed, text } = run(directory, suite);
    if (text.includes('Test suite failed to run')) throw new Error(text.slice(0, 4_000));
    if (!isFailed) continue;
    const found = firstFailure(text).slice(0, 120);
    return { commit, caughtBy: suite.name, firstFailure: found, seconds: secondsNow() };
  }
  return { commit, caughtBy: null, firstFailure: '', seconds: secondsNow() };
}

/** What fails without the fault, too, or does not end, proves nothing. */
function requirePassing(directory: string, suite: Suite): void {
  const { isFailed, isEnded, text } = run(directory, suite);
  if (!isEnded) throw new Error(`${suite.name} does not end in time without a fault`);
  if (isFailed) throw new Error(`${suite.name} fails without a fault: ${text.slice(0, 4_000)}`);
}

/** Plants the fault, and answers how to take it out again. */
function plant(directory: string, { name, file, find, replace }: Mutant): () => void {
  const path = join(directory, file);
  const source = readFileSync(path, 'utf8');
  if (source.split(find).length !== 2) throw new Error(`"${name}" does not fit ${file} any more`);
  writeFileSync(
    path,
    source.replace(find, () => replace),
  );
  return () => writeFileSync(path, source);
}

function tableOf(results: Readonly<Record<string, Result>>): string {
  const rows = MUTANTS.map(({ name, file }, at) => {
    const result = results[name];
    const caughtBy = result === undefined ? 'not run' : (result.caughtBy ?? '**none**');
    const found = (result?.firstFailure ?? '').replaceAll('|', '\\|').replaceAll('\\n', ' ');
    const cells = [at + 1, name, file.replace('packages/', ''), caughtBy];
    return `| ${[...cells, found, result?.seconds ?? '', result?.commit ?? ''].join(' | ')} |`;
  });
  const head = '| # | fault | in | caught by | first failure | s | commit |';
  return [head, '|---|---|---|---|---|---|---|', ...rows].join('\n');
}

function main(): void {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      from: { type: 'string', default: '1' },
      to: { type: 'string', default: String(MUTANTS.length) },
      results: { type: 'string' },
      table: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
    },
  });
  const { results: path } = values;
  const from = wholeNumberOption('from', values.from, 1);
  const to = wholeNumberOption('to', values.to, from);
  const results: Record<string, Result> =
    path !== undefined && existsSync(path)
      ? (JSON.parse(readFileSync(path, 'utf8')) as Record<string, Result>)
      : {};
  if (values.table) {
    process.stdout.write(`${tableOf(results)}\n`);
    return;
  }
  const chosen = namedChoices('only', values.only, MUTANTS, containsName)
    .map((mutant) => ({ mutant, at: MUTANTS.indexOf(mutant) }))
    .filter(({ at }) => at + 1 >= from && at + 1 <= to);
  if (chosen.length === 0) throw new RangeError('nothing is between --from and --to');
  const git = ['rev-parse', '--short', 'HEAD'];
  const commit = execFileSync('git', git, { cwd: ROOT, encoding: 'utf8' }).trim();
  const directory = mkdtempSync(join(tmpdir(), 'azimuth-mutants-'));
  let survivors = 0;
  try {
    makeCopy(directory);
    const passing = new Set<string>();
    for (const { mutant, at } of chosen) {
      const takeOut = plant(directory, mutant);
      const result = judge(directory, mutant, commit);
      takeOut();
      const witness = mutant.by.find(({ name }) => name === result.caughtBy);
      if (values.check && witness !== undefined && !passing.has(witness.name)) {
        requirePassing(directory, witness);
        passing.add(witness.name);
      }
      results[mutant.name] = result;
      if (path !== undefined) writeFileSync(path, JSON.stringify(results, null, 1));
      if (result.caughtBy === null) survivors += 1;
      const verdict = result.caughtBy === null ? 'SURVIVED' : 'caught  ';
      process.stdout.write(
        `${verdict} ${String(at + 1)} ${mutant.name} (${String(result.seconds)} s)\n` +
          `           ${result.caughtBy ?? 'nobody'}: ${result.firstFailure}\n`,
      );
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  process.stdout.write(`${String(survivors)} survived\n`);
  if (survivors > 0) process.exitCode = 1;
}

main();
