import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { assertEqualTrees, assertThat, REGION, run } from '../scenario';
import type { Scenario } from '../scenario';

/** A tree up, every byte checked, synchronised back, an old version read, all purged. */
export const rclone: Scenario = {
  client: 'rclone',
  debianPackage: 'rclone',
  run(target, { source, scratch }) {
    const env = {
      RCLONE_CONFIG: '/dev/null',
      RCLONE_CONFIG_AZ_TYPE: 's3',
      RCLONE_CONFIG_AZ_PROVIDER: 'Other',
      RCLONE_CONFIG_AZ_ENDPOINT: target.endpoint,
      RCLONE_CONFIG_AZ_ACCESS_KEY_ID: target.accessKey,
      RCLONE_CONFIG_AZ_SECRET_ACCESS_KEY: target.secretKey,
      RCLONE_CONFIG_AZ_REGION: REGION,
    };
    run('rclone', ['mkdir', 'az:rclone-bucket'], env);
    run('rclone', ['copy', source, 'az:rclone-bucket/tree'], env);
    run('rclone', ['check', '--download', source, 'az:rclone-bucket/tree'], env);
    const back = join(scratch, 'back');
    run('rclone', ['sync', 'az:rclone-bucket/tree', back], env);
    assertEqualTrees(source, back);
    readOldVersion(env, scratch);
    run('rclone', ['purge', 'az:rclone-bucket'], env);
  },
};

/** `--s3-versions` shows old versions under names with their time. */
function readOldVersion(env: NodeJS.ProcessEnv, scratch: string): void {
  const bucket = 'az:rclone-versions';
  const files = join(scratch, 'versioned');
  mkdirSync(files);
  run('rclone', ['mkdir', bucket], env);
  run('rclone', ['backend', 'versioning', bucket, 'Enabled'], env);
  for (const text of ['first', 'second']) {
    writeFileSync(join(files, 'file.txt'), text);
    run('rclone', ['copy', '--ignore-times', files, bucket], env);
  }
  const names = run('rclone', ['lsf', '--s3-versions', bucket], env).trim().split('\n');
  assertThat(names.length === 2, `two versions, not ${names.join(', ')}`);
  const old = names.find((name) => name !== 'file.txt') ?? '';
  const back = join(scratch, 'old-version');
  run('rclone', ['copyto', '--s3-versions', `${bucket}/${old}`, back], env);
  assertThat(readFileSync(back, 'utf8') === 'first', 'the first version');
  run('rclone', ['purge', bucket], env);
  run('rclone', ['backend', 'cleanup-hidden', bucket], env);
}
