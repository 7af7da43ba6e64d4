import { formatShardSum, parseShardSum, SUM_RANGE_BYTES_MAX } from '../src/shard-sum';
import type { ShardSumRequest } from '../src/shard-sum';

const BLOB = 'ab'.repeat(16);
const DISK = 'cd'.repeat(16);
const NODE = { nodeId: 's-1', incarnation: 'i1', host: '::1', bulkPort: 80, rpcPort: 81 };
const REQUEST: ShardSumRequest = {
  blobId: BLOB,
  offsetBytes: 65_536,
  lengthBytes: 4_096,
  terms: [
    { coefficient: 7, shardIndex: 0, diskId: DISK, node: null },
    { coefficient: 255, shardIndex: 31, diskId: DISK, node: { ...NODE, nodeId: 'a,b&term=%' } },
  ],
};

describe('the target of a sum', () => {
  it('is parsed as it was meant, whatever a node is called', () => {
    expect(parseShardSum(formatShardSum(REQUEST))).toEqual(REQUEST);
  });

  it('fits into the head of a request at its longest', () => {
    const node = { ...NODE, nodeId: 'n'.repeat(64), host: 'h'.repeat(253) };
    const terms = Array.from({ length: 31 }, (_, shardIndex) => ({
      ...{ coefficient: 255, shardIndex, diskId: DISK, node },
    }));
    expect(formatShardSum({ ...REQUEST, terms }).length).toBeLessThan(15 * 1024);
  });

  const own = `7,0,${DISK}`;
  it.each([
    ['another path', `/sum/${BLOB}?offset=0&length=16&term=${own}`],
    ['no blob id', `/sums/${BLOB}0?offset=0&length=16&term=${own}`],
    ['no terms', `/sums/${BLOB}?offset=0&length=16`],
    ['no length', `/sums/${BLOB}?offset=0&term=${own}`],
    ['length 0', `/sums/${BLOB}?offset=0&length=0&term=${own}`],
    [
      'a range above the limit',
      `/sums/${BLOB}?offset=0&length=${SUM_RANGE_BYTES_MAX + 1}&term=${own}`,
    ],
    ['a sign', `/sums/${BLOB}?offset=-1&length=16&term=${own}`],
    ['coefficient 0', `/sums/${BLOB}?offset=0&length=16&term=0,0,${DISK}`],
    ['coefficient 256', `/sums/${BLOB}?offset=0&length=16&term=256,0,${DISK}`],
    ['shard 32', `/sums/${BLOB}?offset=0&length=16&term=1,32,${DISK}`],
    ['a shard twice', `/sums/${BLOB}?offset=0&length=16&term=${own}&term=${own}`],
    ['half a node', `/sums/${BLOB}?offset=0&length=16&term=${own},n,i`],
    ['a node without a name', `/sums/${BLOB}?offset=0&length=16&term=${own},,i,h,1,2`],
    ['a port above 65535', `/sums/${BLOB}?offset=0&length=16&term=${own},n,i,h,70000,2`],
    ['a broken escape', `/sums/${BLOB}?offset=0&length=16&term=${own},%,i,h,1,2`],
    [
      '32 terms',
      `/sums/${BLOB}?offset=0&length=16${Array.from({ length: 32 }, (_, i) => `&term=1,${i},${DISK}`).join('')}`,
    ],
  ])('is refused with %s', (_, target) => {
    expect(() => parseShardSum(target)).toThrow('INVALID_ARGUMENT');
  });
});
