import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { Command, InvalidArgumentError } from 'commander';
import { required, seededRandom, StoreError } from '@azimuth/common';

import { runAgainstCluster } from '../cluster-access';
import type { ClusterAccess } from '../cluster-access';
import { ClusterUnderTest } from '../game-day/cluster-under-test';
import { hasPassed, renderMarkdown, renderTimeline } from '../game-day/report';
import type { GameDayReport } from '../game-day/report';
import { brokenOffResult, runScenario } from '../game-day/run-scenario';
import type { RunOptions, ScenarioResult } from '../game-day/run-scenario';
import { S3Session } from '../game-day/s3-session';
import type { S3Call } from '../game-day/s3-session';
import { PAIRS, pairOf, rounds, SCENARIOS } from '../game-day/scenarios';
import type { Progress } from '../game-day/scenarios';
import type { Scenario, ScenarioNeed } from '../game-day/scenario';
import type { CliContext } from '../cli-context';

const CLIENTS = 16;
const CLIENTS_MAX = 256;
const SETUP_TIMEOUT_MS = 10_000;
/** By need: the flags of `azimuth dev`. */
const STARTED_WITH: Readonly<Record<ScenarioNeed, string>> = {
  links: '--links',
  // Links of any kind are slow where the kernel has netem.
  delays: '--links=proxy',
  faults: '--faults',
};

interface GameDayFlags {
  readonly data: string;
  readonly scenario?: readonly string[];
  readonly all: boolean;
  readonly seconds: number;
  readonly clients: number;
  readonly operations?: number;
  readonly seed?: number;
  readonly report?: string;
  readonly resume: boolean;
}

export function gameDayCommand(context: CliContext): Command {
  return new Command('gameday')
    .summary('break a development cluster on purpose and check every promise')
    .description(
      'Runs fault scenarios against a development cluster while clients write, read, delete and ' +
        'list. Afterwards every answer must fit one order of operations for each object ' +
        '(linearizability), every byte its ETag, every shard its place, and every outage the limits ' +
        `of a zone loss. Exits with 1 when a promise was broken. Scenarios: ${names()}.`,
    )
    .option('--data <dir>', 'directory of a running development cluster', '.azimuth')
    .option('--scenario <name...>', 'scenarios to run, or pairs of them as a+b')
    .option('--all', 'run every scenario and every pair', false)
    .option('--seconds <count>', 'workload before, under and after each fault', positive, 15)
    .option('--clients <count>', `at the same time, up to ${CLIENTS_MAX}`, clientCount, CLIENTS)
    .option(
      '--operations <count>',
      'begin again with the first scenario until so many operations have been checked',
      positive,
    )
    .option('--seed <number>', 'of the workload and of what is chosen (default: random)', positive)
    .option('--report <dir>', 'write report.md, report.json and timeline.svg there')
    .option('--resume', 'run only what the report in --report does not have yet', false)
    .action((flags: GameDayFlags) =>
      runAgainstCluster({ data: flags.data }, context, (access) =>
        runGameDay(flags, access, context),
      ),
    );
}

async function runGameDay(
  flags: GameDayFlags,
  access: ClusterAccess,
  context: CliContext,
): Promise<void> {
  const { clock, print } = context;
  const seed = flags.seed ?? context.random.below(2 ** 31);
  const random = seededRandom(seed);
  const cluster = new ClusterUnderTest({ directory: flags.data, access, clock, random });
  const scenarios = runnable(chooseScenarios(flags), cluster, context, flags.all);
  const startedAt = new Date(clock.wallMs()).toISOString();
  const results = [...earlierResults(flags)];
  const progress: Progress = {
    checked: () => results.reduce((sum, { operations }) => sum + operations, 0),
    hasRun: (wanted) => results.some(({ name }) => name === wanted),
  };
  print(`${scenarios.length} scenarios, seed ${seed}; ${results.length} have been run before`);
  for (const scenario of rounds(scenarios, flags.operations ?? null, progress)) {
    const bucket = `game-day-${seed}-${results.length}`;
    const result = await runOne(scenario, bucket, {
      ...{ cluster, access, clock, random },
      clientCount: flags.clients,
      phaseSeconds: flags.seconds,
    }).catch((error: unknown) => brokenOffResult(scenario, error));
    results.push(result);
    printResult(result, context);
    // After each one: a run that is cut off leaves what it has.
    const report = { startedAt, cluster: await describe(access), seed, results };
    if (flags.report !== undefined) writeReport(flags.report, report);
  }
  if (!results.every(hasPassed)) process.exitCode = 1;
}

/** @throws StoreError INVALID_ARGUMENT */
function chooseScenarios({ all, scenario = [] }: GameDayFlags): readonly Scenario[] {
  const pairs = PAIRS.map(({ first, second, keepsService }) =>
    pairOf(find(first), find(second), keepsService),
  );
  const every = [...SCENARIOS, ...pairs];
  if (all) return every;
  const wanted = scenario.length === 0 ? ['zone-kill'] : scenario;
  return wanted.map((name) => {
    const found = every.find((each) => each.name === name);
    if (found === undefined) {
      throw new StoreError('INVALID_ARGUMENT', { scenario: name, known: names() });
    }
    return found;
  });
}

/**
 * Those that the cluster was started for.
 *
 * @throws StoreError UNAVAILABLE when one that was named is not.
 */
function runnable(
  scenarios: readonly Scenario[],
  cluster: ClusterUnderTest,
  { print }: CliContext,
  isAll: boolean,
): readonly Scenario[] {
  const { hasLinks, canDelayLinks, hasFaults } = cluster.region();
  const has = { links: hasLinks, delays: canDelayLinks, faults: hasFaults };
  return scenarios.filter(({ name, needs }) => {
    const missing = needs.filter((need) => !has[need]);
    if (missing.length === 0) return true;
    const flags = missing.map((need) => STARTED_WITH[need]).join(' ');
    if (!isAll) throw new StoreError('UNAVAILABLE', { scenario: name, startTheClusterWith: flags });
    print(`not run: ${name}, for which the cluster must be started with ${flags}`);
    return false;
  });
}

function find(name: string): Scenario {
  return required(
    SCENARIOS.find((each) => each.name === name),
    name,
  );
}

function names(): string {
  const pairs = PAIRS.map(({ first, second }) => `${first}+${second}`);
  return [...SCENARIOS.map(({ name }) => name), ...pairs].join(', ');
}

async function runOne(
  scenario: Scenario,
  bucket: string,
  options: Omit<RunOptions, 'bucket' | 'versionedBucket'>,
): Promise<ScenarioResult> {
  const versionedBucket = `${bucket}-versions`;
  await options.cluster.waitUntilProtected();
  await createBuckets(bucket, versionedBucket, options);
  return runScenario(scenario, { ...options, bucket, versionedBucket });
}

const ENABLE_VERSIONING =
  '<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
  '<Status>Enabled</Status></VersioningConfiguration>';

async function createBuckets(
  bucket: string,
  versionedBucket: string,
  { cluster, clock }: Pick<RunOptions, 'cluster' | 'clock'>,
): Promise<void> {
  const { endpoint, name, accessKey, secretKey } = cluster.region();
  const session = new S3Session(
    { url: endpoint, region: name, accessKey, secretKey },
    clock,
    SETUP_TIMEOUT_MS,
  );
  const calls: readonly S3Call[] = [
    { method: 'PUT', path: `/${bucket}` },
    { method: 'PUT', path: `/${versionedBucket}` },
    {
      ...{ method: 'PUT', path: `/${versionedBucket}`, query: 'versioning=' },
      body: Buffer.from(ENABLE_VERSIONING),
    },
  ];
  for (const call of calls) {
    const { status } = await session.send(call);
    if (status !== 200) throw new StoreError('UNAVAILABLE', { path: call.path, status });
  }
  session.close();
}

async function describe(access: ClusterAccess): Promise<string> {
  const map = await access.map(SETUP_TIMEOUT_MS);
  if (map === null) return 'a cluster that did not answer at the end';
  const { zones, erasureProfile } = map.settings;
  return (
    `${zones.length} zones, ${map.nodes.size} storage nodes, ` +
    `${erasureProfile.k}+${erasureProfile.m}`
  );
}

function printResult(result: ScenarioResult, { print }: CliContext): void {
  const { name, operations, witnessed, outageMs, protectedAfterMs } = result;
  const { violations, undecidedKeys } = result;
  const seconds = (milliseconds: number): string => (milliseconds / 1000).toFixed(1);
  print(
    `${hasPassed(result) ? 'PASS' : 'FAIL'} ${name}: ${operations} operations (${witnessed} witnessed), reads back after ` +
      `${seconds(outageMs.read)} s, writes after ${seconds(outageMs.write)} s, protected ` +
      `${seconds(protectedAfterMs)} s after the fault`,
  );
  for (const violation of violations) print(`  ${violation}`);
  for (const key of undecidedKeys) print(`  ${key}: undecided`);
}

/** What an earlier run with the same `--report` found. */
function earlierResults({ report, resume }: GameDayFlags): readonly ScenarioResult[] {
  if (!resume || report === undefined) return [];
  const path = join(report, 'report.json');
  if (!existsSync(path)) return [];
  return (JSON.parse(readFileSync(path, 'utf8')) as GameDayReport).results;
}

function writeReport(directory: string, report: GameDayReport): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'report.md'), renderMarkdown(report));
  writeFileSync(join(directory, 'report.json'), `${JSON.stringify(report, null, 2)}\n`);
  writeFileSync(join(directory, 'timeline.svg'), renderTimeline(report.results));
}

function clientCount(text: string): number {
  const value = positive(text);
  if (value <= CLIENTS_MAX) return value;
  throw new InvalidArgumentError(`expected at most ${CLIENTS_MAX}`);
}

function positive(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError('expected a positive integer');
}
