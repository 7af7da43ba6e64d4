import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { MetadataNodeEntry } from '@azimuth/proto';

import { PeerBook } from '../../src/server/peer-book';

const peer = (nodeId: string, port: number) => ({ nodeId, host: '127.0.0.1', port });
const entry = (nodeId: string, port: number): MetadataNodeEntry =>
  peer(nodeId, port) as unknown as MetadataNodeEntry;

describe('where the other metadata nodes are', () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'azimuth-peers-'));
  });

  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  it('is in the settings when all nodes have started at other addresses than root knows', () => {
    const before = new PeerBook(directory, [peer('a', 1), peer('b', 2)]);
    before.follow([entry('a', 1), entry('b', 2), entry('c', 3)], 5);

    const after = new PeerBook(directory, [peer('a', 11), peer('b', 12)]);
    expect(after.peers).toContainEqual(peer('a', 11));
    after.follow([entry('a', 1), entry('b', 2), entry('c', 3)], 5);
    // The file knows c, of which the settings have never heard.
    expect(after.peers).toEqual([peer('a', 11), peer('b', 12), peer('c', 3)]);
    after.follow([entry('a', 11), entry('b', 2), entry('c', 3)], 6);
    expect(after.peers).toEqual([peer('a', 11), peer('b', 12), peer('c', 3)]);
  });

  it('is where root says once that changes', () => {
    const book = new PeerBook(directory, [peer('a', 1), peer('b', 2)]);
    book.follow([entry('a', 1), entry('b', 2)], 5);
    expect(book.follow([entry('a', 7), entry('b', 2)], 6)).toBe(true);
    expect(book.peers).toEqual([peer('a', 7), peer('b', 2)]);
    expect(book.follow([entry('a', 7), entry('b', 2)], 6)).toBe(false);
  });

  it('is not where an old snapshot of root says, with nodes that have been replaced since', () => {
    const open = () => new PeerBook(directory, [peer('a', 1), peer('b', 2), peer('c', 3)]);
    const namesOf = (book: PeerBook) => book.peers.map(({ nodeId }) => nodeId).sort();
    const before = open();
    expect(before.follow([entry('a', 1), entry('d', 4), entry('e', 5)], 90)).toBe(true);

    // The power was cut: root goes through its history again from its snapshot on.
    const after = open();
    expect(after.isAheadOf(10)).toBe(true);
    expect(after.follow([entry('a', 1), entry('b', 2), entry('c', 3)], 10)).toBe(false);
    expect(after.follow([entry('a', 1), entry('c', 3), entry('d', 4)], 50)).toBe(false);
    for (const book of [after, open()]) expect(namesOf(book)).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(after.follow([entry('a', 1), entry('d', 4), entry('e', 5)], 90)).toBe(true);
    expect(namesOf(after)).toEqual(['a', 'd', 'e']);
    expect(after.follow([entry('a', 1), entry('d', 4), entry('f', 6)], 91)).toBe(true);
  });

  it('reads the list that was kept before, and lives without a file', () => {
    const open = () => new PeerBook(directory, [peer('a', 1)]);
    writeFileSync(join(directory, 'peers.json'), JSON.stringify([peer('d', 4)]));
    expect(open().peers).toContainEqual(peer('d', 4));
    expect(open().follow([entry('a', 1)], 1)).toBe(true);
    writeFileSync(join(directory, 'peers.json'), '');
    expect(open().peers).toEqual([peer('a', 1)]);
  });
});
