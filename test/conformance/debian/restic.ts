import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import { assertEqualTrees, assertThat, environment, MIB, run, writeRandomFile } from '../scenario';
import type { Scenario, Target } from '../scenario';

/**
 * A backup of a tree; another that is killed half-way; then the repository must still be whole, be
 * pruned and give the tree back.
 */
export const restic: Scenario = {
  client: 'restic',
  debianPackage: 'restic',
  run(target, { source, scratch }) {
    const env = resticEnvironment(target, scratch);
    const call = (...args: string[]): string => run('restic', ['--quiet', ...args], env);
    call('init');
    call('backup', source);
    killHalfWay(env, scratch);
    // The lock of a process that was killed a moment ago does not count as stale everywhere.
    call('unlock', '--remove-all');
    call('check', '--read-data');
    call('forget', '--keep-last', '1', '--prune');
    call('check', '--read-data');
    const back = join(scratch, 'back');
    call('restore', 'latest', '--target', back);
    assertEqualTrees(source, join(back, source));
  },
};

function resticEnvironment(target: Target, scratch: string): NodeJS.ProcessEnv {
  return {
    RESTIC_REPOSITORY: `s3:${target.endpoint}/restic-bucket/repository`,
    RESTIC_PASSWORD: 'a password for a test',
    RESTIC_CACHE_DIR: join(scratch, 'cache'),
    AWS_ACCESS_KEY_ID: target.accessKey,
    AWS_SECRET_ACCESS_KEY: target.secretKey,
  };
}

/** A backup of fresh data, slowed so that it cannot be over, and killed after a moment. */
function killHalfWay(env: NodeJS.ProcessEnv, scratch: string): void {
  const more = join(scratch, 'more');
  writeRandomFile(join(more, 'large'), 64 * MIB);
  const backup = ['restic', '--quiet', '--limit-upload', '8192', 'backup', more];
  const { signal, status } = spawnSync('timeout', ['--signal=KILL', '1.5', ...backup], {
    env: environment(env),
    stdio: 'ignore',
  });
  assertThat(signal === 'SIGKILL' || status === 137, 'the backup was over before it was killed');
}
