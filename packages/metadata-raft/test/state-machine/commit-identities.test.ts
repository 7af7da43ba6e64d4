import type { IdentityChange, WatchResult } from '@azimuth/proto';
import { IDENTITY_KINDS } from '@azimuth/proto';

import { checkCommand } from '../../src/state-machine/command-schema';
import { MemoryKeyValueStore } from '../../src/state-machine/memory-key-value-store';
import { watchResult } from '../../src/state-machine/root-queries';
import { commandOf, START_MS } from './index-fixture';
import { newBucket, openCluster, RootDriver } from './root-fixture';

const HOLDER = {
  ...{ accountId: '123456789012', path: '/', createdMs: 1, isDeclared: false },
  ...{ inlinePolicies: { all: '{}' }, attachedPolicyArns: ['arn:aws:iam::aws:policy/x'] },
};
const SAMPLES: Readonly<Record<string, IdentityChange['record']>> = {
  account: {
    ...{ accountId: '123456789012', canonicalId: 'c'.repeat(64), displayName: 'me', email: '' },
    ...{ createdMs: 1, isDeclared: true, publicAccessBlock: null },
  },
  user: {
    ...{ ...HOLDER, userName: 'Alice', userId: 'AIDA1', groups: ['g'] },
    ...{ permissionsBoundaryArn: null, tags: {} },
  },
  group: { ...HOLDER, groupName: 'g', groupId: 'AGPA1' },
  role: {
    ...{ ...HOLDER, roleName: 'r', roleId: 'AROA1', description: '', assumeRolePolicy: '{}' },
    ...{ maxSessionSeconds: 3600, permissionsBoundaryArn: null, tags: { a: 'b' } },
  },
  policy: {
    ...{ accountId: '123456789012', policyName: 'p', policyId: 'ANPA1', path: '/' },
    ...{ description: '', createdMs: 1, updatedMs: 2, isDeclared: false, tags: {} },
    ...{ defaultVersionId: 'v1', versions: [{ versionId: 'v1', document: '{}', createdMs: 1 }] },
  },
  'access-key': {
    ...{ accessKeyId: 'AKIA1', secretKey: 'secret', accountId: '123456789012', userName: null },
    ...{ isActive: true, createdMs: 1, isDeclared: false },
  },
  'oidc-provider': {
    ...{ accountId: '123456789012', url: 'issuer', clientIds: [], thumbprints: [], createdMs: 1 },
  },
  'token-key': { keyId: 'k', secret: 's', createdMs: 1 },
};

function change(kind: string, name: string, record = SAMPLES[kind] ?? null): IdentityChange {
  return { kind, name, record } as IdentityChange;
}

function commit(driver: RootDriver, expectedRevision: number, changes: readonly IdentityChange[]) {
  return driver.run('CommitIdentities', { expectedRevision, changes });
}

function watch(driver: RootDriver, since: number, withIdentities = true): WatchResult {
  return watchResult(driver.machine.commands, { since, withIdentities });
}

function identityOf(driver: RootDriver, name: string): unknown {
  return driver.machine.commands.state.get('identity', name)?.record ?? null;
}

async function revisionAfter(
  driver: RootDriver,
  expected: number,
  changes: readonly IdentityChange[],
): Promise<number> {
  const response = await commit(driver, expected, changes);
  if (!response.ok) throw new Error(response.code);
  return (response.result as { revision: number }).revision;
}

describe('identities', () => {
  it('are changed all or none, by who has seen the last change', async () => {
    const driver = await openCluster();
    const first = await revisionAfter(driver, 0, [
      change('user', '1/alice'),
      change('token-key', 'k'),
    ]);
    expect(first).toBe(driver.machine.lastApplied());
    // Other root commands are no change of identities.
    await driver.run('CreateBucket', newBucket());
    for (const stale of [0, first - 1, first + 1]) {
      expect(await commit(driver, stale, [change('user', '1/alice', null)])).toMatchObject({
        code: 'PRECONDITION_FAILED',
        detail: { revision: first },
      });
    }
    const second = await revisionAfter(driver, first, [
      change('user', '1/alice', null),
      change('role', '1/r'),
    ]);
    expect(second).toBeGreaterThan(first);
    expect(identityOf(driver, 'user/1/alice')).toBeNull();
    expect(identityOf(driver, 'role/1/r')).toEqual(SAMPLES['role']);
    expect(await revisionAfter(driver, second, [])).toBe(second);
  });

  it('of one name: the last change in a command counts', async () => {
    const driver = await openCluster();
    await revisionAfter(driver, 0, [change('group', 'g'), change('group', 'g', null)]);
    expect(identityOf(driver, 'group/g')).toBeNull();
    expect(driver.machine.counters.identityBytes).toBe(0);
  });

  it('come back after a restart, with their revision and size', async () => {
    const store = new MemoryKeyValueStore();
    const driver = await openCluster(store);
    const revision = await revisionAfter(driver, 0, [change('access-key', 'AKIA1')]);
    const again = await RootDriver.open(store);
    expect(identityOf(again, 'access-key/AKIA1')).toEqual(SAMPLES['access-key']);
    expect(again.machine.counters).toEqual(driver.machine.counters);
    await revisionAfter(again, revision, [change('access-key', 'AKIA1', null)]);
    expect(again.machine.counters.identityBytes).toBe(0);
  });

  it('are told to watchers who ask for them, and to no other', async () => {
    const driver = await openCluster();
    const before = watch(driver, 0);
    const revision = await revisionAfter(driver, 0, [
      change('access-key', 'AKIA1'),
      change('user', '1/al/ice'),
    ]);
    const identities = [
      { kind: 'access-key', name: 'AKIA1', record: SAMPLES['access-key'] },
      { kind: 'user', name: '1/al/ice', record: SAMPLES['user'] },
    ];
    const told = { identities: expect.arrayContaining(identities), identityRevision: revision };
    expect(watch(driver, 0)).toMatchObject({ kind: 'full', map: told });
    expect(watch(driver, before.version)).toMatchObject({ kind: 'delta', map: told });
    for (const since of [0, before.version]) {
      const result = watch(driver, since, false);
      expect(result).toMatchObject({ map: { identities: [] } });
      expect(JSON.stringify(result)).not.toContain('secret');
    }
    const { version } = watch(driver, 0);
    await revisionAfter(driver, revision, [change('user', '1/al/ice', null)]);
    const removedIdentities = [{ kind: 'user', name: '1/al/ice' }];
    expect(watch(driver, version)).toMatchObject({ map: { identities: [], removedIdentities } });
    expect(watch(driver, version, false)).toMatchObject({ map: { removedIdentities: [] } });
  });

  it('have limits, and a refusal changes nothing', async () => {
    const driver = await openCluster();
    const document = 'x'.repeat(100_000);
    const sized = (name: string, count: number): IdentityChange => {
      const versions = Array.from({ length: count }, (_, number) => ({
        ...{ versionId: `v${number}`, document, createdMs: 1 },
      }));
      return change('policy', name, { ...SAMPLES['policy'], versions } as never);
    };
    const refused = { code: 'INVALID_ARGUMENT' };
    expect(await commit(driver, 0, [sized('p', 3)])).toMatchObject(refused);
    expect(driver.machine.counters.identityRevision).toBe(0);
    let revision = 0;
    // 16 MiB hold 83 policies of 200 kB.
    for (let number = 0; number < 83; number += 1) {
      revision = await revisionAfter(driver, revision, [sized(`p${number}`, 2)]);
    }
    expect(await commit(driver, revision, [sized('more', 2)])).toMatchObject(refused);
    // One that shrinks, and one in the place of another.
    revision = await revisionAfter(driver, revision, [sized('p0', 1)]);
    await revisionAfter(driver, revision, [change('policy', 'p1', null), sized('more', 2)]);
  });
});

describe('the check of identities', () => {
  const check = (changes: readonly unknown[]): void => {
    const args = { expectedRevision: 0, changes };
    checkCommand('root', commandOf('CommitIdentities', args, START_MS));
  };

  it.each(IDENTITY_KINDS)('%s: every field must be there and be of its kind', (kind) => {
    const record = SAMPLES[kind] as unknown as Readonly<Record<string, unknown>>;
    check([change(kind, 'n'), change(kind, 'n', null)]);
    for (const field of Object.keys(record)) {
      const rest = Object.fromEntries(Object.entries(record).filter(([name]) => name !== field));
      expect(() => check([{ kind, name: 'n', record: rest }])).toThrow('INVALID_ARGUMENT');
      const broken = { ...record, [field]: { x: 1 } };
      expect(() => check([{ kind, name: 'n', record: broken }])).toThrow('INVALID_ARGUMENT');
    }
  });

  it('refuses other kinds, names that are empty or endless, and too many changes', () => {
    const bad = [
      change('unknown', 'n', null),
      change('__proto__', 'n'),
      change('user', ''),
      change('user', 'n'.repeat(513), null),
      null,
      { kind: 'user', name: 'n' },
    ];
    for (const one of bad) expect(() => check([one])).toThrow('INVALID_ARGUMENT');
    const many = Array.from({ length: 1_001 }, (_, number) => change('user', `n${number}`, null));
    expect(() => check(many)).toThrow('INVALID_ARGUMENT');
  });
});
