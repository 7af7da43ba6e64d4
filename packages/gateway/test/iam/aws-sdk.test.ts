import {
  AddUserToGroupCommand,
  AttachUserPolicyCommand,
  CreateAccessKeyCommand,
  CreateGroupCommand,
  CreatePolicyCommand,
  CreatePolicyVersionCommand,
  CreateRoleCommand,
  CreateUserCommand,
  DeleteAccessKeyCommand,
  DeleteGroupCommand,
  DeletePolicyCommand,
  DeletePolicyVersionCommand,
  DeleteUserCommand,
  DetachUserPolicyCommand,
  GetAccessKeyLastUsedCommand,
  GetAccountAuthorizationDetailsCommand,
  GetAccountSummaryCommand,
  GetGroupCommand,
  GetPolicyVersionCommand,
  GetRoleCommand,
  GetUserCommand,
  GetUserPolicyCommand,
  ListAccessKeysCommand,
  ListAccountAliasesCommand,
  ListAttachedUserPoliciesCommand,
  ListEntitiesForPolicyCommand,
  ListGroupsForUserCommand,
  ListPoliciesCommand,
  ListPolicyVersionsCommand,
  ListUsersCommand,
  ListUserTagsCommand,
  PutUserPermissionsBoundaryCommand,
  PutUserPolicyCommand,
  RemoveUserFromGroupCommand,
  SetDefaultPolicyVersionCommand,
  TagUserCommand,
  UntagUserCommand,
  UpdateAccessKeyCommand,
  UpdateAssumeRolePolicyCommand,
  UpdateUserCommand,
} from '@aws-sdk/client-iam';
import type { IAMClient } from '@aws-sdk/client-iam';
import { CreateBucketCommand, ListBucketsCommand } from '@aws-sdk/client-s3';

import { allow, ClusterGateway, refusalOf, trust } from '../support/cluster-gateway';
import type { Keys } from '../support/cluster-gateway';

let gateway: ClusterGateway;
let iam: IAMClient;

beforeEach(async () => {
  gateway = await ClusterGateway.start();
  iam = gateway.iam();
});

afterEach(() => gateway.close());

async function user(UserName: string, policy?: string): Promise<Keys> {
  await iam.send(new CreateUserCommand({ UserName }));
  if (policy !== undefined) {
    const put = { UserName, PolicyName: 'own', PolicyDocument: policy };
    await iam.send(new PutUserPolicyCommand(put));
  }
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName }));
  return {
    accessKeyId: AccessKey?.AccessKeyId ?? '',
    secretAccessKey: AccessKey?.SecretAccessKey ?? '',
  };
}

describe('users and access keys', () => {
  it('are made, found, listed, renamed and deleted', async () => {
    const made = await iam.send(
      new CreateUserCommand({ UserName: 'Alice', Path: '/dev/', Tags: [{ Key: 'a', Value: '' }] }),
    );
    expect(made.User).toMatchObject({ UserName: 'Alice', Path: '/dev/' });
    expect(made.User?.Arn).toMatch(/^arn:aws:iam::\d{12}:user\/dev\/Alice$/);
    expect(made.User?.UserId).toMatch(/^AIDA[A-Z2-7]{17}$/);
    expect(made.User?.CreateDate?.getTime()).toBeGreaterThan(Date.UTC(2020, 0));

    const found = await iam.send(new GetUserCommand({ UserName: 'alice' }));
    expect(found.User).toMatchObject({ UserName: 'Alice', Tags: [{ Key: 'a', Value: '' }] });

    await iam.send(new UpdateUserCommand({ UserName: 'Alice', NewUserName: 'bob', NewPath: '/' }));
    const listed = await iam.send(new ListUsersCommand({}));
    expect(listed.Users?.map((each) => each.Arn)).toEqual([
      made.User?.Arn?.replace('dev/Alice', 'bob'),
    ]);

    await iam.send(new DeleteUserCommand({ UserName: 'bob' }));
    expect(await refusalOf(iam.send(new GetUserCommand({ UserName: 'bob' })))).toBe(
      'NoSuchEntityException',
    );
  });

  it('sign requests of S3 as soon as they are made, and no more once they are inactive', async () => {
    const keys = await user('alice', allow('s3:*'));
    await gateway.s3(keys).send(new CreateBucketCommand({ Bucket: 'of-alice' }));
    const status = { UserName: 'alice', AccessKeyId: keys.accessKeyId };

    await iam.send(new UpdateAccessKeyCommand({ ...status, Status: 'Inactive' }));
    const inactive = await refusalOf(gateway.s3(keys).send(new ListBucketsCommand({})));
    await iam.send(new UpdateAccessKeyCommand({ ...status, Status: 'Active' }));
    await gateway.s3(keys).send(new ListBucketsCommand({}));
    await iam.send(new DeleteAccessKeyCommand(status));
    const deleted = await refusalOf(gateway.s3(keys).send(new ListBucketsCommand({})));

    expect([inactive, deleted]).toEqual(['InvalidAccessKeyId', 'InvalidAccessKeyId']);
  });

  it('lists keys without their secrets, two of each user at most', async () => {
    await user('alice');
    await iam.send(new CreateAccessKeyCommand({ UserName: 'alice' }));
    const third = iam.send(new CreateAccessKeyCommand({ UserName: 'alice' }));
    const { AccessKeyMetadata } = await iam.send(new ListAccessKeysCommand({ UserName: 'alice' }));

    expect(await refusalOf(third)).toBe('LimitExceededException');
    expect(AccessKeyMetadata).toHaveLength(2);
    expect(Object.keys(AccessKeyMetadata?.[0] ?? {}).sort()).toEqual([
      'AccessKeyId',
      'CreateDate',
      'Status',
      'UserName',
    ]);
    const lastUsed = await iam.send(
      new GetAccessKeyLastUsedCommand({ AccessKeyId: AccessKeyMetadata?.[0]?.AccessKeyId }),
    );
    expect(lastUsed).toMatchObject({ UserName: 'alice', AccessKeyLastUsed: { Region: 'N/A' } });
  });

  it('makes keys of the root, which can do what the root can', async () => {
    const { AccessKey } = await iam.send(new CreateAccessKeyCommand({}));
    const keys = {
      accessKeyId: AccessKey?.AccessKeyId ?? '',
      secretAccessKey: AccessKey?.SecretAccessKey ?? '',
    };

    const me = await gateway.iam(keys).send(new GetUserCommand({}));

    expect(me.User?.Arn).toMatch(/:root$/);
  });

  it('pages through users by Marker', async () => {
    for (const name of ['c', 'a', 'e', 'b', 'd']) {
      await iam.send(new CreateUserCommand({ UserName: name }));
    }
    const names: string[] = [];
    let marker: string | undefined;
    let pages = 0;
    do {
      const page = await iam.send(new ListUsersCommand({ MaxItems: 2, Marker: marker }));
      names.push(...(page.Users ?? []).map((each) => each.UserName ?? ''));
      expect(page.IsTruncated).toBe(page.Marker !== undefined);
      marker = page.Marker;
      pages += 1;
    } while (marker !== undefined);

    expect([names.join(''), pages]).toEqual(['abcde', 3]);
  });

  it('keeps tags', async () => {
    await iam.send(new CreateUserCommand({ UserName: 'alice' }));
    const Tags = [
      { Key: 'team', Value: 'storage + more' },
      { Key: 'x', Value: '1' },
    ];
    await iam.send(new TagUserCommand({ UserName: 'alice', Tags }));
    await iam.send(new UntagUserCommand({ UserName: 'alice', TagKeys: ['x'] }));

    const { Tags: kept } = await iam.send(new ListUserTagsCommand({ UserName: 'alice' }));

    expect(kept).toEqual([{ Key: 'team', Value: 'storage + more' }]);
  });
});

describe('what the API refuses', () => {
  it.each<[string, string, () => Promise<unknown>]>([
    [
      'a second user of a name, in whatever case',
      'EntityAlreadyExistsException',
      async () => {
        await iam.send(new CreateUserCommand({ UserName: 'alice' }));
        await iam.send(new CreateUserCommand({ UserName: 'ALICE' }));
      },
    ],
    [
      'a name with a blank',
      'ValidationError',
      () => iam.send(new CreateUserCommand({ UserName: 'a b' })),
    ],
    [
      'an inline policy whose name no record can hold',
      'ValidationError',
      async () => {
        await iam.send(new CreateUserCommand({ UserName: 'alice' }));
        const policy = { PolicyName: '__proto__', PolicyDocument: allow('s3:*') };
        await iam.send(new PutUserPolicyCommand({ UserName: 'alice', ...policy }));
      },
    ],
    [
      'a tag whose key no record can hold',
      'ValidationError',
      async () => {
        await iam.send(new CreateUserCommand({ UserName: 'alice' }));
        const Tags = [{ Key: '__proto__', Value: 'x' }];
        await iam.send(new TagUserCommand({ UserName: 'alice', Tags }));
      },
    ],
    ['no name', 'ValidationError', () => iam.send(new CreateUserCommand({ UserName: undefined }))],
    [
      'a path without slashes',
      'ValidationError',
      () => iam.send(new CreateUserCommand({ UserName: 'a', Path: 'x' })),
    ],
    [
      'an unknown user',
      'NoSuchEntityException',
      () => iam.send(new DeleteUserCommand({ UserName: 'x' })),
    ],
    [
      'to delete a user that has keys',
      'DeleteConflictException',
      async () => {
        await user('alice');
        await iam.send(new DeleteUserCommand({ UserName: 'alice' }));
      },
    ],
    [
      'a policy that is none',
      'MalformedPolicyDocumentException',
      async () => {
        await user('alice', '{"Version":"2012-10-17"}');
      },
    ],
    [
      'inline policies beyond 2,048 characters',
      'LimitExceededException',
      async () => {
        await user('alice', allow(['s3:GetObject'], `arn:aws:s3:::${'x'.repeat(2_048)}`));
      },
    ],
    [
      'a policy that does not exist',
      'NoSuchEntityException',
      async () => {
        await user('alice');
        const PolicyArn = 'arn:aws:iam::aws:policy/NoSuchPolicy';
        await iam.send(new AttachUserPolicyCommand({ UserName: 'alice', PolicyArn }));
      },
    ],
    ['MaxItems=0', 'ValidationError', () => iam.send(new ListUsersCommand({ MaxItems: 0 }))],
    ['a foreign marker', 'ValidationError', () => iam.send(new ListUsersCommand({ Marker: '%%' }))],
    [
      'a trust policy with a resource',
      'MalformedPolicyDocumentException',
      () =>
        iam.send(
          new CreateRoleCommand({ RoleName: 'r', AssumeRolePolicyDocument: allow('sts:*') }),
        ),
    ],
  ])('refuses %s as %s', async (_name, code, attempt) => {
    expect(await refusalOf(attempt())).toBe(code);
  });
});

describe('groups', () => {
  it('have members, and are deleted when they have none', async () => {
    await user('alice');
    await iam.send(new CreateGroupCommand({ GroupName: 'Devs' }));
    const membership = { GroupName: 'devs', UserName: 'alice' };
    await iam.send(new AddUserToGroupCommand(membership));
    await iam.send(new AddUserToGroupCommand(membership));

    const group = await iam.send(new GetGroupCommand({ GroupName: 'Devs' }));
    const groups = await iam.send(new ListGroupsForUserCommand({ UserName: 'alice' }));
    const early = await refusalOf(iam.send(new DeleteGroupCommand({ GroupName: 'Devs' })));
    await iam.send(new RemoveUserFromGroupCommand(membership));
    await iam.send(new DeleteGroupCommand({ GroupName: 'Devs' }));

    expect(group.Group?.GroupId).toMatch(/^AGPA/);
    expect(group.Users?.map(({ UserName }) => UserName)).toEqual(['alice']);
    expect(groups.Groups?.map(({ GroupName }) => GroupName)).toEqual(['Devs']);
    expect(early).toBe('DeleteConflictException');
  });
});

describe('policies', () => {
  it('come back as they were written', async () => {
    const document = `{ "Version": "2012-10-17",\n "Statement": [{"Effect":"Allow","Action":"s3:*","Resource":"*"}] }`;
    await user('alice', document);

    const policy = await iam.send(
      new GetUserPolicyCommand({ UserName: 'alice', PolicyName: 'own' }),
    );

    expect(decodeURIComponent(policy.PolicyDocument ?? '')).toBe(document);
  });

  it('have versions, one of which counts', async () => {
    const keys = await user('alice');
    const { Policy } = await iam.send(
      new CreatePolicyCommand({ PolicyName: 'lists', PolicyDocument: allow('s3:GetObject') }),
    );
    const PolicyArn = Policy?.Arn ?? '';
    await iam.send(new AttachUserPolicyCommand({ UserName: 'alice', PolicyArn }));
    const before = await refusalOf(gateway.s3(keys).send(new ListBucketsCommand({})));
    await iam.send(
      new CreatePolicyVersionCommand({
        PolicyArn,
        PolicyDocument: allow('s3:ListAllMyBuckets'),
        SetAsDefault: true,
      }),
    );
    await gateway.s3(keys).send(new ListBucketsCommand({}));
    await iam.send(new SetDefaultPolicyVersionCommand({ PolicyArn, VersionId: 'v1' }));
    const after = await refusalOf(gateway.s3(keys).send(new ListBucketsCommand({})));

    expect([before, after]).toEqual(['AccessDenied', 'AccessDenied']);
    const { Versions } = await iam.send(new ListPolicyVersionsCommand({ PolicyArn }));
    expect(Versions?.map((each) => [each.VersionId, each.IsDefaultVersion])).toEqual([
      ['v2', false],
      ['v1', true],
    ]);
    const v2 = await iam.send(new GetPolicyVersionCommand({ PolicyArn, VersionId: 'v2' }));
    expect(decodeURIComponent(v2.PolicyVersion?.Document ?? '')).toBe(allow('s3:ListAllMyBuckets'));
    const holders = await iam.send(new ListEntitiesForPolicyCommand({ PolicyArn }));
    expect(holders.PolicyUsers?.map(({ UserName }) => UserName)).toEqual(['alice']);

    const inUse = await refusalOf(iam.send(new DeletePolicyCommand({ PolicyArn })));
    await iam.send(new DetachUserPolicyCommand({ UserName: 'alice', PolicyArn }));
    const versions = await refusalOf(iam.send(new DeletePolicyCommand({ PolicyArn })));
    await iam.send(new DeletePolicyVersionCommand({ PolicyArn, VersionId: 'v2' }));
    await iam.send(new DeletePolicyCommand({ PolicyArn }));
    expect([inUse, versions]).toEqual(['DeleteConflictException', 'DeleteConflictException']);
  });

  it('of AWS are there under their names', async () => {
    const keys = await user('alice');
    const PolicyArn = 'arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess';
    await iam.send(new AttachUserPolicyCommand({ UserName: 'alice', PolicyArn }));

    await gateway.s3(keys).send(new ListBucketsCommand({}));
    const write = gateway.s3(keys).send(new CreateBucketCommand({ Bucket: 'bucket' }));

    expect(await refusalOf(write)).toBe('AccessDenied');
    const attached = await iam.send(new ListAttachedUserPoliciesCommand({ UserName: 'alice' }));
    expect(attached.AttachedPolicies).toEqual([
      { PolicyName: 'AmazonS3ReadOnlyAccess', PolicyArn },
    ]);
    const local = await iam.send(new ListPoliciesCommand({ Scope: 'Local' }));
    const used = await iam.send(new ListPoliciesCommand({ OnlyAttached: true }));
    expect([local.Policies, used.Policies?.map(({ Arn }) => Arn)]).toEqual([[], [PolicyArn]]);
  });

  it('bound what a user may do', async () => {
    const keys = await user('alice', allow('s3:*'));
    await gateway.s3(keys).send(new ListBucketsCommand({}));
    const PermissionsBoundary = 'arn:aws:iam::aws:policy/IAMFullAccess';

    await iam.send(
      new PutUserPermissionsBoundaryCommand({ UserName: 'alice', PermissionsBoundary }),
    );

    expect(await refusalOf(gateway.s3(keys).send(new ListBucketsCommand({})))).toBe('AccessDenied');
  });
});

describe('roles and the account', () => {
  it('keep trust policies', async () => {
    const document = trust({ AWS: '*' });
    const made = await iam.send(
      new CreateRoleCommand({
        RoleName: 'r',
        AssumeRolePolicyDocument: document,
        Description: 'd',
      }),
    );
    const changed = trust({ AWS: '123456789012' });
    await iam.send(new UpdateAssumeRolePolicyCommand({ RoleName: 'r', PolicyDocument: changed }));
    const { Role } = await iam.send(new GetRoleCommand({ RoleName: 'r' }));

    expect(decodeURIComponent(made.Role?.AssumeRolePolicyDocument ?? '')).toBe(document);
    expect(decodeURIComponent(Role?.AssumeRolePolicyDocument ?? '')).toBe(changed);
    expect(Role).toMatchObject({ MaxSessionDuration: 3600, Description: 'd' });
  });

  it('sum up', async () => {
    await user('alice', allow('s3:*'));
    const { SummaryMap } = await iam.send(new GetAccountSummaryCommand({}));
    const aliases = await iam.send(new ListAccountAliasesCommand({}));
    const details = await iam.send(new GetAccountAuthorizationDetailsCommand({}));

    expect(SummaryMap).toMatchObject({ Users: 1, UsersQuota: 5000, Groups: 0 });
    expect(aliases.AccountAliases).toEqual([]);
    expect(details.UserDetailList?.[0]?.UserPolicyList?.[0]?.PolicyName).toBe('own');
  });
});

describe('who may use the API', () => {
  it('needs the action on the entity that it is about', async () => {
    await user('victim');
    const keys = await user('alice', allow('iam:*', 'arn:aws:iam::*:user/alice'));
    const own = gateway.iam(keys);

    const me = await own.send(new GetUserCommand({}));
    await own.send(new ListAccessKeysCommand({}));
    const others = [
      own.send(new GetUserCommand({ UserName: 'victim' })),
      own.send(new CreateAccessKeyCommand({ UserName: 'victim' })),
      own.send(new ListUsersCommand({})),
      own.send(new CreateUserCommand({ UserName: 'mallory' })),
      own.send(new CreateUserCommand({ UserName: 'alice2' })),
    ];

    expect(me.User?.UserName).toBe('alice');
    for (const each of others) expect(await refusalOf(each)).toBe('AccessDenied');
  });

  it('is nobody without a signature, or with a wrong secret', async () => {
    const unsigned = await fetch(gateway.url, {
      method: 'POST',
      body: 'Action=CreateUser&Version=2010-05-08&UserName=mallory',
    });
    const wrong = gateway.iam({ accessKeyId: 'ROOTACCESSKEY0001', secretAccessKey: 'wrong' });

    expect(unsigned.status).toBe(403);
    expect(await unsigned.text()).toContain('<Code>MissingAuthenticationToken</Code>');
    expect(await refusalOf(wrong.send(new ListUsersCommand({})))).toBe('SignatureDoesNotMatch');
    const { Users } = await iam.send(new ListUsersCommand({}));
    expect(Users).toEqual([]);
  });
});
