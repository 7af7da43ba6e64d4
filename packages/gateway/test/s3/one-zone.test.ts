/** What clients see of objects that are all in one zone (S-4). */
import { Harness } from './harness';

const BODY = Buffer.alloc(10_000, 7);
const ONE_ZONE = { 'x-amz-storage-class': 'ONEZONE_IA' };
const ZONE = 'x-azimuth-zone';

/** Two nodes and a group of each of the zones a and b; new bodies go to that of a. */
async function ready(): Promise<{ harness: Harness; inZoneB: () => void }> {
  const harness = await Harness.create();
  await harness.bucket();
  const groups = [];
  for (const [zoneIndex, zone] of ['a', 'b'].entries()) {
    const slots = [];
    for (const number of [0, 1]) {
      const nodeId = `${zone}${number}`;
      const ports = { bulkPort: 1, rpcPort: 2, adminPort: 3 };
      const node = { nodeId, zone, host: nodeId, ...ports, incarnation: 'i' };
      const diskId = `${zoneIndex}${number}`.repeat(16);
      const disks = [{ diskId, capacityBytes: 1e12, state: 'online' as const }];
      await harness.metadata.root('RegisterNode', { node, disks });
      slots.push(diskId);
    }
    groups.push({ profile: { k: 1, m: 1 }, slots, isReduced: false, zone });
  }
  const { pgIds } = await harness.metadata.root('OpenGroups', { groups });
  const [a = 0, b = 0] = pgIds;
  harness.dataPath.oneZoneGroup = a;
  return {
    harness,
    inZoneB: () => {
      harness.dataPath.oneZoneGroup = b;
    },
  };
}

function takeOut({ dataPath }: Harness): void {
  dataPath.groupsOut.add(dataPath.oneZoneGroup);
}

describe('S-4: an object in one zone', () => {
  it('says by GET and HEAD in which, whole and in part', async () => {
    const { harness } = await ready();
    await harness.put('k', BODY, { headers: ONE_ZONE });
    for (const name of ['GetObject', 'HeadObject']) {
      const whole = await harness.send(name, { key: 'k' });
      expect(whole).toMatchObject({ status: 200, headers: { [ZONE]: 'a', ...ONE_ZONE } });
      const part = await harness.send(name, { key: 'k', headers: { range: 'bytes=0-9' } });
      expect(part).toMatchObject({ status: 206, headers: { [ZONE]: 'a' } });
      const byNumber = await harness.send(name, { key: 'k', query: { partNumber: '1' } });
      expect(byNumber).toMatchObject({ status: 206, headers: { [ZONE]: 'a' } });
    }
  });

  it('costs a second question of a HEAD only where there may be an answer', async () => {
    const { harness } = await ready();
    await harness.put('in one zone', BODY, { headers: ONE_ZONE });
    await harness.put('inline', 'x', { headers: ONE_ZONE });
    await harness.put('spread', BODY);
    const asked: unknown[] = [];
    const ask = harness.metadata.queryIndex.bind(harness.metadata);
    harness.metadata.queryIndex = (group, name, args, options) => {
      if (name === 'GetVersion') asked.push((args as { withBody: boolean }).withBody);
      return ask(group, name, args, options);
    };
    for (const key of ['in one zone', 'inline', 'spread']) {
      await harness.send('HeadObject', { key });
    }
    expect(asked).toEqual([false, true, false, false]);
  });

  it('names every zone that it needs when parts were written into several', async () => {
    const { harness, inZoneB } = await ready();
    const created = await harness.send('CreateMultipartUpload', { key: 'k', headers: ONE_ZONE });
    const uploadId = /<UploadId>([^<]+)</.exec(created.bytes.toString())?.[1] ?? '';
    const parts = [];
    for (const partNumber of ['1', '2']) {
      if (partNumber === '2') inZoneB();
      const query = { uploadId, partNumber };
      const body = Buffer.alloc(partNumber === '1' ? 5 * 1024 * 1024 : 1000, partNumber);
      const { headers } = await harness.send('UploadPart', { key: 'k', query, body });
      parts.push(
        `<Part><PartNumber>${partNumber}</PartNumber><ETag>${headers['etag']}</ETag></Part>`,
      );
    }
    const body = `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`;
    await harness.send('CompleteMultipartUpload', { key: 'k', query: { uploadId }, body });
    const head = await harness.send('HeadObject', { key: 'k' });
    expect(head).toMatchObject({ status: 200, headers: { [ZONE]: 'a, b' } });
  });

  it('is the only one that speaks of a zone: not others, and none with the metadata', async () => {
    const { harness } = await ready();
    await harness.put('spread', BODY);
    await harness.put('inline', 'x', { headers: ONE_ZONE });
    harness.dataPath.oneZoneGroup = 999;
    await harness.put('in a group not known here', BODY, { headers: ONE_ZONE });
    for (const key of ['spread', 'inline', 'in a group not known here']) {
      for (const name of ['GetObject', 'HeadObject']) {
        const reply = await harness.send(name, { key });
        expect(reply.status).toBe(200);
        expect(reply.headers).not.toHaveProperty(ZONE);
      }
    }
  });

  const UNAVAILABLE = {
    status: 503,
    code: 'ServiceUnavailable',
    message: 'Service is unable to handle request.',
    headers: { 'retry-after': '1' },
    detail: {},
  };

  it.each([{}, { headers: { range: 'bytes=0-9' } }, { query: { partNumber: '1' } }])(
    'is 503 ServiceUnavailable while its zone is out, and there again with it: %j',
    async (call) => {
      const { harness } = await ready();
      await harness.put('k', BODY, { headers: ONE_ZONE });
      takeOut(harness);
      expect(await harness.get('k', call)).toMatchObject(UNAVAILABLE);
      expect(await harness.send('HeadObject', { key: 'k' })).toMatchObject({
        status: 200,
        headers: { [ZONE]: 'a' },
      });
      harness.dataPath.groupsOut.clear();
      expect((await harness.get('k', call)).code).toBeNull();
    },
  );

  it('is 503 as the source of a copy, which leaves the target as it was', async () => {
    const { harness } = await ready();
    await harness.put('k', BODY, { headers: ONE_ZONE });
    await harness.put('target', 'as it was');
    takeOut(harness);
    const headers = { 'x-amz-copy-source': 'some-bucket/k' };
    const copy = await harness.send('CopyObject', { key: 'target', headers });
    expect(copy).toMatchObject(UNAVAILABLE);
    expect((await harness.get('target')).bytes.toString()).toBe('as it was');
    const created = await harness.send('CreateMultipartUpload', { key: 'parts' });
    const uploadId = /<UploadId>([^<]+)</.exec(created.bytes.toString())?.[1] ?? '';
    const query = { uploadId, partNumber: '1' };
    const part = await harness.send('UploadPartCopy', { key: 'parts', query, headers });
    expect(part).toMatchObject(UNAVAILABLE);
  });

  it('is looked up again when it was replaced by one that can be read', async () => {
    const { harness, inZoneB } = await ready();
    await harness.put('k', BODY, { headers: ONE_ZONE });
    takeOut(harness);
    inZoneB();
    harness.dataPath.beforeRead = async () => {
      await harness.put('k', Buffer.alloc(9_000), { headers: ONE_ZONE });
    };
    const reply = await harness.get('k');
    expect(reply).toMatchObject({
      status: 200,
      headers: { [ZONE]: 'b', 'content-length': '9000' },
    });
  });
});
