import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { assertThat, awsEnvironment, REGION, run } from '../scenario';
import type { Scenario, Target } from '../scenario';

const BUCKET = 'cli-api-bucket';
const READ_POLICY = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Action: 's3:GetObject*', Resource: `arn:aws:s3:::${BUCKET}/public/*` },
  ],
});

type Credentials = Readonly<Record<string, string>>;
type Aws = (...args: string[]) => string;

/** The CLI with given credentials; answers the JSON text, '' when there is none. */
function cli(target: Target, credentials: Credentials = {}): Aws {
  const env = { ...awsEnvironment(target), ...credentials };
  return (...args) =>
    run('aws', ['--endpoint-url', target.endpoint, '--output', 'json', ...args], env);
}

function isRefused(call: () => string, code: string): boolean {
  try {
    call();
    return false;
  } catch (error) {
    return String((error as { stderr?: string }).stderr).includes(`(${code})`);
  }
}

/** `aws s3api` on versions and tags, `aws iam` making a user and a role, `aws sts` becoming it. */
export const awsApi: Scenario = {
  client: 'aws',
  debianPackage: 'awscli',
  run(target, { scratch }) {
    const aws = cli(target);
    mkdirSync(join(scratch, 'files'));
    const file = join(scratch, 'files', 'one');
    writeFileSync(file, 'first');
    aws('s3api', 'create-bucket', '--bucket', BUCKET);
    readVersions(aws, file);
    const user = makeUser(aws, target);
    readAsUser(user, scratch);
    assumeRole(aws, user, target);
  },
};

function readVersions(aws: Aws, file: string): void {
  const at = ['--bucket', BUCKET, '--key', 'public/key'];
  const status = 'Status=Enabled';
  aws('s3api', 'put-bucket-versioning', '--bucket', BUCKET, '--versioning-configuration', status);
  const first = JSON.parse(
    aws('s3api', 'put-object', ...at, '--body', file, '--tagging', 'team=blue'),
  ) as { VersionId: string };
  writeFileSync(file, 'second');
  aws('s3api', 'put-object', ...at, '--body', file);
  aws('s3api', 'delete-object', ...at);
  const versions = JSON.parse(aws('s3api', 'list-object-versions', '--bucket', BUCKET)) as {
    Versions: unknown[];
    DeleteMarkers: unknown[];
  };
  assertThat(versions.Versions.length === 2, 'two versions');
  assertThat(versions.DeleteMarkers.length === 1, 'one delete marker');
  const version = ['--version-id', first.VersionId];
  aws('s3api', 'get-object', ...at, ...version, `${file}.back`);
  assertThat(readFileSync(`${file}.back`, 'utf8') === 'first', 'the first version');
  const tags = JSON.parse(aws('s3api', 'get-object-tagging', ...at, ...version)) as {
    TagSet: unknown[];
  };
  assertThat(tags.TagSet.length === 1, 'the tag of the first version');
  const source = `${BUCKET}/public/key?versionId=${first.VersionId}`;
  aws('s3api', 'copy-object', ...at, '--copy-source', source);
}

interface User {
  readonly arn: string;
  readonly aws: Aws;
}

function makeUser(aws: Aws, target: Target): User {
  const name = ['--user-name', 'reader'];
  const { User: made } = JSON.parse(aws('iam', 'create-user', ...name)) as {
    User: { Arn: string };
  };
  const { AccessKey: key } = JSON.parse(aws('iam', 'create-access-key', ...name)) as {
    AccessKey: { AccessKeyId: string; SecretAccessKey: string };
  };
  const policy = ['--policy-name', 'read', '--policy-document', READ_POLICY];
  aws('iam', 'put-user-policy', ...name, ...policy);
  assertThat(aws('iam', 'list-users').includes('"reader"'), 'the user is listed');
  const credentials = {
    AWS_ACCESS_KEY_ID: key.AccessKeyId,
    AWS_SECRET_ACCESS_KEY: key.SecretAccessKey,
  };
  return { arn: made.Arn, aws: cli(target, credentials) };
}

function readAsUser({ arn, aws }: User, scratch: string): void {
  const { Arn } = JSON.parse(aws('sts', 'get-caller-identity')) as { Arn: string };
  assertThat(Arn === arn, 'sts knows the user');
  const back = join(scratch, 'user');
  aws('s3api', 'get-object', '--bucket', BUCKET, '--key', 'public/key', back);
  assertThat(
    isRefused(() => aws('s3api', 'list-objects-v2', '--bucket', BUCKET), 'AccessDenied'),
    'the user may not list',
  );
}

function assumeRole(aws: Aws, user: User, target: Target): void {
  const trust = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { AWS: user.arn }, Action: 'sts:AssumeRole' }],
  });
  const name = ['--role-name', 'lister'];
  const { Role } = JSON.parse(
    aws('iam', 'create-role', ...name, '--assume-role-policy-document', trust),
  ) as { Role: { Arn: string } };
  const list = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: 's3:ListBucket', Resource: '*' }],
  });
  aws('iam', 'put-role-policy', ...name, '--policy-name', 'list', '--policy-document', list);
  const session = ['--role-arn', Role.Arn, '--role-session-name', 'acceptance'];
  const { Credentials: temporary } = JSON.parse(user.aws('sts', 'assume-role', ...session)) as {
    Credentials: Record<string, string>;
  };
  const asRole = cli(target, {
    AWS_ACCESS_KEY_ID: temporary['AccessKeyId'] ?? '',
    AWS_SECRET_ACCESS_KEY: temporary['SecretAccessKey'] ?? '',
    AWS_SESSION_TOKEN: temporary['SessionToken'] ?? '',
    AWS_DEFAULT_REGION: REGION,
  });
  asRole('s3api', 'list-objects-v2', '--bucket', BUCKET);
  assertThat(
    isRefused(
      () => asRole('s3api', 'get-object', '--bucket', BUCKET, '--key', 'public/key', '/dev/null'),
      'AccessDenied',
    ),
    'the role may not read',
  );
}
