import { declareSeeds, SEEDS } from './raft/declare-seeds';

describe('raft under faults of network, disk and process', () => {
  declareSeeds(Math.ceil(SEEDS / 2) + 1, SEEDS);
});
