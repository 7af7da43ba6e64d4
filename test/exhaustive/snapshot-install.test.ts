import { SnapshotInstall } from './raft/snapshot-install';
import type { InstallCrash } from './raft/snapshot-install';

/** Every this many-th event is one to die after; 1 takes all. */
const STRIDE = Number(process.env['AZIMUTH_INSTALL_STRIDE'] ?? '20');

describe('pitfall 23: installing a snapshot', () => {
  it('brings a node that was away up to date', async () => {
    const install = new SnapshotInstall();
    expect(await install.run(null)).toBeGreaterThan(50);
    expect(install.snapshots).toBeGreaterThan(0);
  }, 60_000);

  const cases: Pick<InstallCrash, 'victim' | 'kind'>[] = [
    { victim: 'late', kind: 'power' },
    { victim: 'late', kind: 'process' },
    { victim: 'leader', kind: 'power' },
    { victim: 'leader', kind: 'process' },
  ];
  it.each(cases)(
    'ends right when $victim dies ($kind) after any event of it',
    async ({ victim, kind }) => {
      const events = await new SnapshotInstall().run(null);
      for (let event = 1; event <= events; event += STRIDE) {
        await new SnapshotInstall().run({ event, victim, kind });
      }
    },
    120_000,
  );
});
