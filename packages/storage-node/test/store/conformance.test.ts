import { runShardStoreCase, seedOfCase, SHARD_STORE_CASES } from '@azimuth/testkit';

import { HARNESSES } from '../store-fixture';

describe.each(Object.entries(HARNESSES))('shard store on %s', (_name, open) => {
  it.each(SHARD_STORE_CASES.map((one) => [one.name, seedOfCase(one.name), one] as const))(
    '%s (seed %i)',
    async (_case, _seed, shardStoreCase) => {
      await runShardStoreCase(shardStoreCase, open);
    },
  );
});
