import type { ClusterView, MetadataClient } from '@azimuth/clients';
import { silentLogger, StoreError } from '@azimuth/common';
import type { BlobRef } from '@azimuth/proto';

import { DamageReporter } from '../src/damage-reporter';
import { ManualClock } from './support/manual-clock';

/** Keeps the commands that were sent, as the state machine would see them. */
function fixture(fails = false): {
  clock: ManualClock;
  reporter: DamageReporter;
  commands: [string, unknown][];
} {
  const clock = new ManualClock();
  const commands: [string, unknown][] = [];
  const metadata = {
    index(group: string, _name: string, args: unknown): Promise<null> {
      commands.push([group, args]);
      return fails ? Promise.reject(new StoreError('UNAVAILABLE')) : Promise.resolve(null);
    },
  } as unknown as MetadataClient;
  const view = { map: () => ({ settings: { indexGroups: 3 } }) } as unknown as ClusterView;
  return {
    clock,
    commands,
    reporter: new DamageReporter({ metadata, view, clock, logger: silentLogger }),
  };
}

const blobOf = (slot: string, rest = '0'): BlobRef =>
  ({ blobId: slot + rest.repeat(30) }) as unknown as BlobRef;

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('shards that a read found damaged', () => {
  it('become one command for each index group, each shard once', async () => {
    const { clock, commands, reporter } = fixture();
    for (const shard of [4, 1, 4]) reporter.report(blobOf('00'), shard);
    reporter.report(blobOf('03'), 0);
    reporter.report(blobOf('04'), 2);
    expect(commands).toEqual([]);
    clock.advance(500);
    await settle();

    expect(commands).toEqual([
      [
        'index-0',
        {
          missing: [
            { blobId: blobOf('00').blobId, shardIndexes: [1, 4] },
            { blobId: blobOf('03').blobId, shardIndexes: [0] },
          ],
        },
      ],
      ['index-1', { missing: [{ blobId: blobOf('04').blobId, shardIndexes: [2] }] }],
    ]);
  });

  it('are not reported again for a minute, then they are', async () => {
    const { clock, commands, reporter } = fixture();
    for (const waitMs of [500, 1_000, 60_000]) {
      reporter.report(blobOf('00'), 1);
      clock.advance(waitMs);
      await settle();
    }
    reporter.report(blobOf('00'), 1);
    clock.advance(500);
    await settle();

    expect(commands).toHaveLength(2);
  });

  it('are bounded, and a failure ends nothing', async () => {
    const { clock, commands, reporter } = fixture(true);
    for (let blob = 0; blob < 2_000; blob += 1) {
      reporter.report({ blobId: `00${String(blob).padStart(30, '0')}` } as unknown as BlobRef, 0);
    }
    clock.advance(500);
    await settle();

    expect(commands).toHaveLength(1);
    expect((commands[0]![1] as { missing: unknown[] }).missing).toHaveLength(512);
    reporter.close();
    reporter.report(blobOf('11'), 0);
    expect(clock.timerCount).toBe(0);
  });
});
