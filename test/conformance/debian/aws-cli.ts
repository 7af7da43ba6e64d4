import { join } from 'node:path';

import { assertEqualTrees, assertThat, awsCommand } from '../scenario';
import type { Scenario } from '../scenario';

/** `aws s3`: a tree up, listed, synchronised back, copied on the server, removed. */
export const awsS3: Scenario = {
  client: 'aws',
  debianPackage: 'awscli',
  run(target, { source, scratch }) {
    const aws = awsCommand(target);
    aws('s3', 'mb', 's3://cli-bucket');
    aws('s3', 'cp', '--recursive', '--quiet', source, 's3://cli-bucket/copy/');
    const back = join(scratch, 'back');
    aws('s3', 'sync', '--quiet', 's3://cli-bucket/copy/', back);
    assertEqualTrees(source, back);
    aws('s3', 'cp', '--quiet', 's3://cli-bucket/copy/multipart-20M', 's3://cli-bucket/server-side');
    aws('s3', 'cp', '--quiet', 's3://cli-bucket/server-side', join(scratch, 'server-side'));
    assertEqualTrees(join(source, 'multipart-20M'), join(scratch, 'server-side'));
    const again = aws('s3', 'sync', source, 's3://cli-bucket/copy/').trim();
    assertThat(again === '', 'a second sync found something to do');
    aws('s3', 'rb', '--force', 's3://cli-bucket');
  },
};
