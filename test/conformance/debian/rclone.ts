import { join } from 'node:path';

import { assertEqualTrees, REGION, run } from '../scenario';
import type { Scenario } from '../scenario';

/** A tree up, every byte checked, synchronised back, purged. */
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
    run('rclone', ['purge', 'az:rclone-bucket'], env);
  },
};
