import { mkdtempSync, rmSync } from 'node:fs';
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
    before.follow([entry('a', 1), entry('b', 2), entry('c', 3)]);

    const after = new PeerBook(directory, [peer('a', 11), peer('b', 12)]);
    expect(after.peers).toContainEqual(peer('a', 11));
    after.follow([entry('a', 1), entry('b', 2), entry('c', 3)]);
    // The file knows c, of which the settings have never heard.
    expect(after.peers).toEqual([peer('a', 11), peer('b', 12), peer('c', 3)]);
    after.follow([entry('a', 11), entry('b', 2), entry('c', 3)]);
    expect(after.peers).toEqual([peer('a', 11), peer('b', 12), peer('c', 3)]);
  });

  it('is where root says once that changes', () => {
    const book = new PeerBook(directory, [peer('a', 1), peer('b', 2)]);
    book.follow([entry('a', 1), entry('b', 2)]);
    expect(book.follow([entry('a', 7), entry('b', 2)])).toBe(true);
    expect(book.peers).toEqual([peer('a', 7), peer('b', 2)]);
    expect(book.follow([entry('a', 7), entry('b', 2)])).toBe(false);
  });
});
