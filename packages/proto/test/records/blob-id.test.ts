import { slotOfKey } from '../../src';

describe('slotOfKey', () => {
  it('is where versions are kept, so it never changes: first byte of SHA-256(bucket 0 key)', () => {
    const bucketId = '00112233445566778899aabbccddeeff';
    const keys = ['a', 'folder/ü€😀', '\ud800x', ''];
    expect(keys.map((key) => slotOfKey(bucketId, key))).toEqual([172, 251, 168, 190]);
  });
});
