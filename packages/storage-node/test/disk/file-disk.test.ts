import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { AlignedBuffers, DIRECT_ALIGNMENT_BYTES } from '../../src/disk/aligned-buffers';
import { FileDisk } from '../../src/disk/file-disk';

const SIZE_BYTES = 64 * 1024;

describe('files that bypass the page cache', () => {
  let root: string;
  let disk: FileDisk;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'azimuth-file-disk-'));
    disk = new FileDisk(root);
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('hold aligned and other writes in their places, and read back at once', async () => {
    const buffers = new AlignedBuffers(SIZE_BYTES);
    const [first, second] = [buffers.take().fill(1), buffers.take().fill(2)];
    const tail = Buffer.alloc(777, 3);
    const file = await disk.open('shard', 'create-uncached');
    await file.write([first], 0);
    await file.write([second.subarray(0, DIRECT_ALIGNMENT_BYTES)], SIZE_BYTES);
    await file.write([tail], SIZE_BYTES + DIRECT_ALIGNMENT_BYTES);
    await file.datasync();
    const all = Buffer.concat([first, second.subarray(0, DIRECT_ALIGNMENT_BYTES), tail]);
    expect(await file.size()).toBe(all.length);
    const read = Buffer.alloc(all.length);
    expect(await file.read(read, 0)).toBe(all.length);
    expect(read.equals(all)).toBe(true);
    await file.close();
    expect(readFileSync(join(root, 'shard')).equals(all)).toBe(true);
  });

  it('take memory at any address: what the disk cannot fetch goes through the cache', async () => {
    const file = await disk.open('shard', 'create-uncached');
    const odd = Buffer.from(new ArrayBuffer(SIZE_BYTES)).fill(4);
    await file.write([odd], 0);
    await file.write([odd], SIZE_BYTES);
    await file.close();
    expect(readFileSync(join(root, 'shard')).equals(Buffer.concat([odd, odd]))).toBe(true);
  });

  it('are new, like any file that is made', async () => {
    await (await disk.open('shard', 'create-uncached')).close();
    await expect(disk.open('shard', 'create-uncached')).rejects.toMatchObject({ code: 'EEXIST' });
  });

  it('buffers are given out again, and start at a block of the disk', () => {
    const buffers = new AlignedBuffers(SIZE_BYTES);
    const taken = Array.from({ length: 40 }, () => buffers.take());
    expect(new Set(taken.map(({ byteOffset }) => byteOffset)).size).toBe(16);
    for (const buffer of taken) expect(buffer.byteOffset % DIRECT_ALIGNMENT_BYTES).toBe(0);
    const [last] = taken;
    buffers.give(last!);
    expect(buffers.take()).toBe(last);
  });
});
