import { decodeRecord } from '@azimuth/proto';
import type { SessionResponse, WatchResult } from '@azimuth/proto';

import { GroupStateMachine } from '../../src/state-machine/group-state-machine';
import { MemoryKeyValueStore } from '../../src/state-machine/memory-key-value-store';
import { RootCommandSet } from '../../src/state-machine/root-commands';
import { watchResult } from '../../src/state-machine/root-queries';
import { BUCKET_ID, commandOf, entryOf, START_MS } from './index-fixture';

export const SETTINGS = {
  ...{ clusterId: 'c'.repeat(32), region: 'r', zones: ['a', 'b', 'c'], indexGroups: 1 },
  ...{ erasureProfile: { k: 4, m: 2 }, replicaProfile: { k: 1, m: 2 } },
  ...{ inlineBytesMax: 8192, replicaBytesMax: 131072, blockBytes: 262144 },
};

/** Arguments of CreateBucket. */
export function newBucket(changes: object = {}): object {
  const bucket = { name: 'photos', bucketId: BUCKET_ID, owner: 'me' };
  return { ...bucket, versioning: 'unversioned', configurations: {}, ...changes };
}

/** One replica of the root group that is driven command by command. */
export class RootDriver {
  readonly machine: GroupStateMachine<RootCommandSet>;
  nowMs = START_MS;

  constructor(machine: GroupStateMachine<RootCommandSet>) {
    this.machine = machine;
  }

  static async open(store = new MemoryKeyValueStore()): Promise<RootDriver> {
    return new RootDriver(
      await GroupStateMachine.open(
        store,
        (records, counters) => new RootCommandSet(records, counters),
      ),
    );
  }

  async run(name: string, args: unknown): Promise<SessionResponse> {
    const entry = entryOf(
      this.machine.lastApplied() + 1,
      this.nowMs,
      commandOf(name, args, this.nowMs),
    );
    const [answer] = await this.machine.apply([entry]);
    return decodeRecord(answer!) as SessionResponse;
  }

  async register(nodeId: string, disks: readonly string[], incarnation = 'i1') {
    const node = {
      ...{ nodeId, zone: nodeId.slice(0, 1), host: '127.0.0.1', incarnation },
      ...{ bulkPort: 1, rpcPort: 2, adminPort: 3 },
    };
    const entries = disks.map((diskId) => ({ diskId, capacityBytes: 1e9, state: 'online' }));
    return this.run('RegisterNode', { node, disks: entries });
  }

  watch(since: number): WatchResult {
    return watchResult(this.machine.commands, { since, withIdentities: false });
  }
}

/** A cluster of two storage nodes a zone; the same again over a store that has one. */
export async function openCluster(store?: MemoryKeyValueStore): Promise<RootDriver> {
  const driver = await RootDriver.open(store);
  await driver.run('InitializeCluster', { settings: SETTINGS });
  for (const zone of SETTINGS.zones) {
    for (const number of [1, 2]) await driver.register(`${zone}${number}`, [`d-${zone}${number}`]);
  }
  return driver;
}
