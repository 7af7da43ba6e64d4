import { declareSeeds, SEEDS } from './raft/declare-seeds';

describe('raft under faults of network, disk and process', () => {
  declareSeeds(1, Math.ceil(SEEDS / 2));
});
