import { cpSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { assertEqualTrees, assertThat, awsCommand, run } from '../scenario';
import type { Scenario } from '../scenario';

/** A bucket as a mounted directory: files written, renamed, read after a new mount, removed. */
export const s3fs: Scenario = {
  client: 's3fs',
  debianPackage: 's3fs',
  run(target, { source, scratch }) {
    awsCommand(target)('s3', 'mb', 's3://s3fs-bucket');
    const password = join(scratch, 'password');
    writeFileSync(password, `${target.accessKey}:${target.secretKey}`, { mode: 0o600 });
    const mountPoint = join(scratch, 'mounted');
    mkdirSync(mountPoint);
    const options =
      `passwd_file=${password},url=${target.endpoint},use_path_request_style,` +
      `endpoint=us-east-1,tmpdir=${scratch}`;
    const mount = (): string => run('s3fs', ['s3fs-bucket', mountPoint, '-o', options]);
    const unmount = (): string => run('umount', [mountPoint]);
    mount();
    try {
      cpSync(source, join(mountPoint, 'tree'), { recursive: true });
      renameSync(join(mountPoint, 'tree'), join(mountPoint, 'renamed'));
      unmount();
      mount();
      assertEqualTrees(source, join(mountPoint, 'renamed'));
      rmSync(join(mountPoint, 'renamed'), { recursive: true });
      assertThat(readdirSync(mountPoint).length === 0, 'the mounted bucket is not empty');
    } finally {
      unmount();
    }
  },
};
