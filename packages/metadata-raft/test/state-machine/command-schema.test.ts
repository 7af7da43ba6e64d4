import type { ChecksumAlgorithm, Command } from '@azimuth/proto';
import { COMMAND_VERSION } from '@azimuth/proto';

import { checkCommand } from '../../src/state-machine/command-schema';
import { isPlainCommit } from '../../src/state-machine/plain-commit';

function plainCommit(): Command {
  return {
    version: COMMAND_VERSION,
    name: 'CommitVersion',
    commandId: 'ab'.repeat(16),
    issuedMs: 1,
    args: {
      bucketId: '01'.repeat(16),
      key: 'a/b',
      versioning: 'unversioned',
      draft: {
        key: 'a/b',
        sizeBytes: 3,
        etag: 'e',
        storageClass: 'STANDARD',
        owner: 'o',
        headers: { 'content-type': 'text/plain' },
        userMetadata: {},
        checksum: null,
        tags: {},
        acl: null,
      },
      data: { inline: Buffer.from('abc'), blobs: [], missing: [] },
      precondition: null,
    },
  };
}

/** A table, so that the compiler asks for new ones. */
const CHECKSUM_ALGORITHMS: Readonly<Record<ChecksumAlgorithm, true>> = {
  CRC32: true,
  CRC32C: true,
  CRC64NVME: true,
  SHA1: true,
  SHA256: true,
  SHA512: true,
  MD5: true,
  XXHASH64: true,
  XXHASH3: true,
  XXHASH128: true,
};

const HOSTILE: readonly unknown[] = [
  undefined,
  null,
  -1,
  1.5,
  Number.NaN,
  2 ** 53,
  '',
  'x',
  'x'.repeat(9_000),
  '\ud800',
  true,
  [],
  ['x'],
  [[]],
  {},
  { length: 0 },
  { a: 1 },
  { ['x'.repeat(9_000)]: 'x' },
  Buffer.from('x'),
];

/** Every place in a command, as the names that lead there. */
function placesIn(value: unknown, path: readonly string[] = []): string[][] {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return [];
  return Object.entries(value).flatMap(([name, child]) => [
    [...path, name],
    ...placesIn(child, [...path, name]),
  ]);
}

function withChanged(path: readonly string[], content: unknown): Command {
  const command = plainCommit();
  let at = command as unknown as Record<string, unknown>;
  for (const name of path.slice(0, -1)) at = at[name] as Record<string, unknown>;
  at[path.at(-1)!] = content;
  return command;
}

describe('the check of commands', () => {
  it('takes the quick way for a plain commit', () => {
    const command = plainCommit();
    expect(isPlainCommit(command.args)).toBe(true);
    expect(() => checkCommand('index', command)).not.toThrow();
    expect(() => checkCommand('root', command)).toThrow('INVALID_ARGUMENT');
  });

  it('is no weaker on the quick way: what it accepts the schema accepts', () => {
    let refused = 0;
    for (const path of placesIn(plainCommit())) {
      for (const content of HOSTILE) {
        const command = withChanged(path, content);
        // With a condition that is always met the schema has to decide.
        const args = command.args as Record<string, unknown> | null | undefined;
        const isQuick = isPlainCommit(args);
        const decided = isQuick
          ? { ...command, args: { ...args, precondition: { ifMatch: null, ifNoneMatch: null } } }
          : command;
        const quick = outcomeOf(command);
        expect({ path, content, outcome: quick }).toEqual({
          path,
          content,
          outcome: outcomeOf(decided),
        });
        if (quick !== 'accepted') refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(250);
  });

  it('KC-1: takes the checksum algorithms that there are, and no other', () => {
    const withChecksum = (algorithm: string): Command =>
      withChanged(['args', 'draft', 'checksum'], { algorithm, type: 'COMPOSITE', value: 'AAAA-1' });
    for (const algorithm of Object.keys(CHECKSUM_ALGORITHMS)) {
      expect([algorithm, outcomeOf(withChecksum(algorithm))]).toEqual([algorithm, 'accepted']);
    }
    expect(outcomeOf(withChecksum('XXHASH32'))).toBe('INVALID_ARGUMENT');
  });

  it('bounds tags and ACLs of versions', () => {
    const tagsOf = (count: number, name: string, value: string) =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`${name}${at}`, value]));
    const update = (changes: object): Command => ({
      ...plainCommit(),
      name: 'UpdateVersion',
      args: { bucketId: '01'.repeat(16), key: 'a', versionId: null, ...changes },
    });
    const accepted = [
      {},
      { tags: {} },
      { tags: tagsOf(50, 'n'.repeat(254), 'v'.repeat(512)), acl: 'a'.repeat(32_768) },
      { acl: null },
    ];
    for (const changes of accepted) expect(outcomeOf(update(changes))).toBe('accepted');
    const refused = [
      { tags: tagsOf(51, 'n', 'v') },
      { tags: tagsOf(1, 'n'.repeat(256), 'v') },
      { tags: tagsOf(1, 'n', 'v'.repeat(513)) },
      { tags: { a: 1 } },
      { tags: null },
      { acl: 'a'.repeat(32_769) },
      { acl: {} },
      { versionId: 7 },
    ];
    for (const changes of refused) expect(outcomeOf(update(changes))).toBe('INVALID_ARGUMENT');
  });
});

function outcomeOf(command: unknown): string {
  try {
    checkCommand('index', command);
    return 'accepted';
  } catch (error) {
    return (error as { code: string }).code;
  }
}
