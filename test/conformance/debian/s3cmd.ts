import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { assertEqualTrees, hostOf, REGION, run } from '../scenario';
import type { Scenario } from '../scenario';

/** A tree up, back, and removed. */
export const s3cmd: Scenario = {
  client: 's3cmd',
  debianPackage: 's3cmd',
  run(target, { source, scratch }) {
    const host = hostOf(target);
    const config = join(scratch, 's3cfg');
    writeFileSync(
      config,
      [
        '[default]',
        `access_key = ${target.accessKey}`,
        `secret_key = ${target.secretKey}`,
        `host_base = ${host}`,
        `host_bucket = ${host}`,
        'use_https = False',
        `bucket_location = ${REGION}`,
      ].join('\n'),
      { mode: 0o600 },
    );
    const call = (...args: string[]): string => run('s3cmd', ['-c', config, '-q', ...args]);
    call('mb', 's3://s3cmd-bucket');
    call('sync', `${source}/`, 's3://s3cmd-bucket/tree/');
    const back = join(scratch, 'back');
    mkdirSync(back);
    call('sync', 's3://s3cmd-bucket/tree/', `${back}/`);
    assertEqualTrees(source, back);
    call('del', '--recursive', '--force', 's3://s3cmd-bucket/');
    call('rb', 's3://s3cmd-bucket');
  },
};
