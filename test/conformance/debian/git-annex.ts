import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { hostOf, run } from '../scenario';
import type { Scenario } from '../scenario';

/**
 * The client's own test suite of a remote: stores, resumes, removes, with and without chunks. What
 * Debian packages can sign with Version 4 only for hosts of AWS, whose names hold the region.
 */
export const gitAnnex: Scenario = {
  client: 'git-annex',
  debianPackage: 'git-annex',
  run(target, { scratch }) {
    const repository = join(scratch, 'repository');
    mkdirSync(repository);
    const env = {
      HOME: scratch,
      AWS_ACCESS_KEY_ID: target.accessKey,
      AWS_SECRET_ACCESS_KEY: target.secretKey,
      GIT_AUTHOR_NAME: 'test',
      GIT_AUTHOR_EMAIL: 'test@example.test',
      GIT_COMMITTER_NAME: 'test',
      GIT_COMMITTER_EMAIL: 'test@example.test',
    };
    const git = (...args: string[]): string => run('git', args, env, repository);
    const [host = '', port = '80'] = hostOf(target).split(':');
    git('init', '-q');
    git('annex', 'init', '--quiet', 'test');
    // Its default refuses loopback.
    git('config', 'annex.security.allowed-ip-addresses', 'all');
    git(
      ...['annex', 'initremote', 'azimuth', 'type=S3', 'encryption=none', 'signature=v2'],
      ...['bucket=git-annex-bucket', `host=${host}`, `port=${port}`, 'protocol=http'],
      ...['requeststyle=path', 'datacenter=us-east-1', 'partsize=5MiB'],
    );
    git('annex', 'testremote', 'azimuth', '--fast');
  },
};
