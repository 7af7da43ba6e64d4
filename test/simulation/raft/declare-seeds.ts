import { runRaftSimulation } from './raft-simulation';

const SEEDS_PER_TEST = 20;

/** How many seeds `npm test` plays; the long run is `npm run simulate`. */
export const SEEDS = Number(process.env['AZIMUTH_SIMULATION_SEEDS'] ?? '200');

/** Declares the tests of the seeds from `first` to `last`. Jest gives each file a processor. */
export function declareSeeds(first: number, last: number): void {
  for (let from = first; from <= last; from += SEEDS_PER_TEST) {
    const to = Math.min(from + SEEDS_PER_TEST - 1, last);
    it(`is safe and recovers: seeds ${String(from)} to ${String(to)}`, async () => {
      let cores = 0;
      for (let seed = from; seed <= to; seed += 1) {
        const report = await runRaftSimulation({ seed });
        expect(report.writes).toBeGreaterThan(0);
        if (report.ending === 'core') cores += 1;
      }
      // These were left with a bare quorum for good, and committed within the limit.
      expect(cores).toBe(Math.floor((to + 1) / 4) - Math.floor(from / 4));
    }, 300_000);
  }
}
