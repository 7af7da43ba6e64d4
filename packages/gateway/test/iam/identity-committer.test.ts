import { CreateUserCommand, ListUsersCommand } from '@aws-sdk/client-iam';
import type { IdentitySnapshot } from '@azimuth/clients';
import { StoreError, systemClock } from '@azimuth/common';
import type { IdentityChange, TokenKeyRecord } from '@azimuth/proto';

import { IdentityCommitter } from '../../src/iam/identity-committer';
import { ClusterGateway } from '../support/cluster-gateway';
import { identitiesOf } from '../support/identities';

const put = (name: string): IdentityChange => {
  const record: TokenKeyRecord = { keyId: name, secret: 's', createdMs: 1 };
  return { kind: 'token-key', name, record };
};

/** A metadata service in which others commit first, `conflicts` times. */
function contended(conflicts: number): { committer: IdentityCommitter; names: () => string[] } {
  let changes: IdentityChange[] = [];
  let revision = 0;
  let left = conflicts;
  const commit = (more: readonly IdentityChange[]): void => {
    changes = [...changes, ...more];
    revision += 1;
  };
  const view = {
    identities: (): IdentitySnapshot => identitiesOf(changes, revision),
    waitForChange: () => Promise.resolve(),
  };
  const metadata = {
    root: (_name: string, args: { expectedRevision: number; changes: IdentityChange[] }) => {
      if (left > 0) {
        left -= 1;
        commit([put(`other${left}`)]);
      }
      if (args.expectedRevision !== revision) {
        return Promise.reject(new StoreError('PRECONDITION_FAILED', { revision }));
      }
      commit(args.changes);
      return Promise.resolve({ revision });
    },
  };
  return {
    committer: new IdentityCommitter({ metadata: metadata as never, view, clock: systemClock }),
    names: () =>
      view
        .identities()
        .list('token-key', '')
        .map(({ keyId }) => keyId),
  };
}

const { signal } = new AbortController();

describe('changes of identities', () => {
  it('are computed again when others came first', async () => {
    const { committer, names } = contended(7);
    const seen: number[] = [];
    await committer.commit((snapshot) => {
      seen.push(snapshot.list('token-key', '').length);
      return { changes: [put('own')] };
    }, signal);

    expect(names()).toContain('own');
    expect(seen.at(-1)).toBe(7);
  });

  it('give up when others come first again and again', async () => {
    const { committer, names } = contended(1_000);
    const attempt = committer.commit(() => ({ changes: [put('own')] }), signal);

    await expect(attempt).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' });
    expect(names()).not.toContain('own');
  });

  it('end with their request', async () => {
    const { committer } = contended(0);
    const gone = AbortSignal.abort(new StoreError('CANCELLED'));
    const attempt = committer.commit(() => ({ changes: [put('own')] }), gone);

    await expect(attempt).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  it('of one gateway do not conflict, however many come at once', async () => {
    const gateway = await ClusterGateway.start();
    const iam = gateway.iam();
    const names = Array.from({ length: 40 }, (_, i) => `user-${String(i).padStart(2, '0')}`);
    await Promise.all(names.map((UserName) => iam.send(new CreateUserCommand({ UserName }))));
    const { Users } = await iam.send(new ListUsersCommand({}));
    await gateway.close();

    expect(Users?.map(({ UserName }) => UserName)).toEqual(names);
  });
});
