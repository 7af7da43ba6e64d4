/**
 * Acceptance by the real clients that Debian packages. Starts a cluster of its own (or uses
 * `--endpoint`) and lets each client do what its users do, comparing every byte. A client that is
 * not installed is named and skipped.
 *
 * Usage: npm run test:clients [-- --endpoint URL --access-key KEY --secret-key KEY] [--small]
 *        [--only NAME,NAME]
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { startDevCluster } from '@azimuth/testkit';

import { awsApi } from './debian/aws-api';
import { awsS3 } from './debian/aws-cli';
import { duplicity } from './debian/duplicity';
import { gitAnnex } from './debian/git-annex';
import { rclone } from './debian/rclone';
import { restic } from './debian/restic';
import { s3cmd } from './debian/s3cmd';
import { s3fs } from './debian/s3fs';
import { namedChoices } from '../../scripts/named-choices';
import { isInstalled, writeSourceFiles } from './scenario';
import type { Scenario, Target } from './scenario';

interface NamedScenario {
  readonly name: string;
  readonly scenario: Scenario;
}

const SCENARIOS: readonly NamedScenario[] = [
  { name: 'aws-s3', scenario: awsS3 },
  { name: 'aws-api', scenario: awsApi },
  { name: 'rclone', scenario: rclone },
  { name: 's3cmd', scenario: s3cmd },
  { name: 'restic', scenario: restic },
  { name: 's3fs', scenario: s3fs },
  { name: 'git-annex', scenario: gitAnnex },
  { name: 'duplicity', scenario: duplicity },
];

const { values } = parseArgs({
  options: {
    endpoint: { type: 'string' },
    'access-key': { type: 'string' },
    'secret-key': { type: 'string' },
    small: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
});

function runScenarios(wanted: readonly NamedScenario[], target: Target): number {
  const directory = mkdtempSync(join(tmpdir(), 'azimuth-clients-'));
  let failed = 0;
  try {
    const source = join(directory, 'source');
    writeSourceFiles(source, !values.small);
    for (const { name, scenario } of wanted) {
      if (!runScenario(name, scenario, target, { source, directory })) failed += 1;
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return failed;
}

function runScenario(
  name: string,
  scenario: Scenario,
  target: Target,
  { source, directory }: { readonly source: string; readonly directory: string },
): boolean {
  if (!isInstalled(scenario.client)) {
    const install = `apt-get install ${scenario.debianPackage}`;
    process.stdout.write(`SKIP ${name}: not installed (${install})\n`);
    return true;
  }
  const scratch = join(directory, name);
  mkdirSync(scratch);
  const startedMs = performance.now();
  try {
    scenario.run(target, { source, scratch });
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    process.stdout.write(`PASS ${name} (${seconds} s)\n`);
    return true;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    process.stdout.write(`FAIL ${name}: ${String(error)}\n${stdout}\n${stderr}\n`);
    return false;
  }
}

async function main(): Promise<void> {
  const names = values.only?.split(',');
  const wanted = names?.flatMap((name) => namedChoices('only', name, SCENARIOS)) ?? SCENARIOS;
  if (values.endpoint !== undefined) {
    const accessKey = values['access-key'] ?? '';
    const secretKey = values['secret-key'] ?? '';
    process.exitCode = runScenarios(wanted, { endpoint: values.endpoint, accessKey, secretKey });
    return;
  }
  // For git-annex.
  const cluster = await startDevCluster({ args: ['--allow-signature-v2'] });
  try {
    process.exitCode = runScenarios(wanted, cluster);
  } finally {
    await cluster.stop();
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
