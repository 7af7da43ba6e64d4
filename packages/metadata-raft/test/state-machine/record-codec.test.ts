import { encodeRecord } from '@azimuth/proto';
import type { BlobRef, VersionBody } from '@azimuth/proto';
import fc from 'fast-check';

import { decodeBody, encodeBody } from '../../src/state-machine/record-codec';

const BLOB: BlobRef = {
  blobId: 'ab'.repeat(16),
  pgId: 7,
  sizeBytes: 1_000_000,
  profile: { k: 4, m: 2 },
  blockBytes: 262_144,
  isReduced: false,
};

describe('the body of a version', () => {
  it('has the bytes that the general encoder gives it, whatever the length', () => {
    for (const lengthBytes of [0, 1, 0xff, 0x100, 4_096, 0xffff, 0x10000]) {
      const inline = Buffer.alloc(lengthBytes, 'x');
      const bytes = Buffer.concat(encodeBody({ inline, blobs: [], parts: null }));
      expect(bytes.equals(encodeRecord([inline, [], null]))).toBe(true);
    }
  });

  it('comes back as it was', () => {
    const bodies = fc.record({
      inline: fc.option(fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes))),
      blobs: fc.constantFrom<BlobRef[]>([], [BLOB], [BLOB, { ...BLOB, isReduced: true }]),
      parts: fc.constant<VersionBody['parts']>(null),
    });
    fc.assert(
      fc.property(bodies, (body) => {
        const found = decodeBody(Buffer.concat(encodeBody(body)));
        expect({ ...found, inline: found.inline && Buffer.from(found.inline) }).toEqual(body);
      }),
    );
  });
});
