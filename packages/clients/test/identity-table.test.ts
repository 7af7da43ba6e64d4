import { IDENTITY_KINDS } from '@azimuth/proto';
import type { IdentityEntry, IdentityKind } from '@azimuth/proto';
import fc from 'fast-check';

import { IdentityTable } from '../src/identity-table';

function entry(kind: IdentityKind, name: string, createdMs = 0): IdentityEntry {
  return { kind, name, record: { keyId: name, secret: kind, createdMs } };
}

const UNCHANGED = { identities: [], removedIdentities: [] };

describe('the table of identities', () => {
  it('finds a record by kind and name, and those under a prefix in order', () => {
    const names = ['1/b', '2/a', '1/a', '10/a', '1/', '1'];
    const table = IdentityTable.of(7, [
      ...names.map((name) => entry('user', name)),
      entry('role', '1/c'),
    ]);
    expect(table.revision).toBe(7);
    expect(table.get('user', '1/a')).toMatchObject({ keyId: '1/a' });
    for (const missing of ['1/c', '', '__proto__']) expect(table.get('user', missing)).toBeNull();
    const listed = (prefix: string) =>
      table.list('user', prefix).map((record) => (record as unknown as { keyId: string }).keyId);
    expect(listed('1/')).toEqual(['1/', '1/a', '1/b']);
    expect(listed('')).toEqual([...names].sort());
    expect(listed('3')).toEqual([]);
  });

  it('is never changed in place, and is the same object where nothing changed', () => {
    const before = IdentityTable.of(7, [entry('user', 'a'), entry('role', 'r')]);
    before.list('user', '');
    expect(before.changed({ ...UNCHANGED, identityRevision: 7 })).toBe(before);
    const after = before.changed({
      identities: [entry('user', 'b')],
      removedIdentities: [{ kind: 'user', name: 'a' }],
      identityRevision: 9,
    });
    expect(after.revision).toBe(9);
    expect([before.get('user', 'a'), before.get('user', 'b')]).toEqual([expect.anything(), null]);
    expect([after.get('user', 'a'), after.get('user', 'b')]).toEqual([null, expect.anything()]);
    expect([before.list('user', '').length, after.list('user', '').length]).toEqual([1, 1]);
    expect(after.get('role', 'r')).toBe(before.get('role', 'r'));
  });

  it('is after any changes what a new one of the same records is', () => {
    const kind = fc.constantFrom(...IDENTITY_KINDS);
    const name = fc.constantFrom('a', 'b', 'c/d', 'c');
    const change = fc.record({ kind, name, isRemoval: fc.boolean() });
    fc.assert(
      fc.property(fc.array(fc.array(change, { maxLength: 4 })), (rounds) => {
        const expected = new Map<string, IdentityEntry>();
        let table = IdentityTable.of(0, []);
        rounds.forEach((changes, at) => {
          const identities = new Map<string, IdentityEntry>();
          const removed = new Map<string, { kind: IdentityKind; name: string }>();
          for (const one of changes) {
            const id = `${one.kind} ${one.name}`;
            identities.delete(id);
            removed.delete(id);
            if (one.isRemoval) removed.set(id, one);
            else identities.set(id, entry(one.kind, one.name, at));
            if (one.isRemoval) expected.delete(id);
            else expected.set(id, entry(one.kind, one.name, at));
          }
          table = table.changed({
            identities: [...identities.values()],
            removedIdentities: [...removed.values()],
            identityRevision: at + 1,
          });
        });
        const whole = IdentityTable.of(rounds.length, expected.values());
        for (const one of IDENTITY_KINDS) expect(table.list(one, '')).toEqual(whole.list(one, ''));
      }),
    );
  });
});
