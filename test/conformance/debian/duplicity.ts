import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { assertEqualTrees, awsCommand, awsEnvironment, run } from '../scenario';
import type { Scenario } from '../scenario';

/** A full and an incremental backup, verified and restored. */
export const duplicity: Scenario = {
  client: 'duplicity',
  debianPackage: 'duplicity',
  run(target, { source, scratch }) {
    awsCommand(target)('s3', 'mb', 's3://duplicity-bucket');
    const tree = join(scratch, 'tree');
    cpSync(source, tree, { recursive: true });
    const url = 'boto3+s3://duplicity-bucket/backup';
    const options = [
      ...['--no-encryption', '--s3-endpoint-url', target.endpoint],
      ...['--archive-dir', join(scratch, 'archive'), '--tempdir', scratch],
      ...['--verbosity', 'error'],
    ];
    const call = (...args: string[]): string =>
      run('duplicity', [...args, ...options], { ...awsEnvironment(target), HOME: scratch });
    call('full', tree, url);
    writeFileSync(join(tree, 'later'), 'written after the full backup');
    call('incremental', tree, url);
    call('verify', '--compare-data', url, tree);
    const back = join(scratch, 'back');
    call('restore', url, back);
    assertEqualTrees(tree, back);
  },
};
