import fc from 'fast-check';

import { ClientLoad, DEFAULT_YIELD_LIMITS, repairShare } from '../../src/repair/client-load';

const { floorShare } = DEFAULT_YIELD_LIMITS;

describe('what repair leaves to clients', () => {
  it.each([
    ['an idle node', 0, 0, 1],
    ['a few quick requests', 8, 20, 1],
    ['half way to busy', 36, 0, 0.55],
    ['a full queue', 64, 0, floorShare],
    ['slow reads', 1, 200, floorShare],
    ['far beyond', 10_000, 10_000, floorShare],
  ])('%s', (_, inFlight, readLatencyMs, share) => {
    expect(repairShare({ inFlight, readLatencyMs }, DEFAULT_YIELD_LIMITS)).toBeCloseTo(share, 9);
  });

  it('never falls below the floor, and never grows with the load', () => {
    const reading = fc.record({ inFlight: fc.nat(1_000), readLatencyMs: fc.nat(1_000) });
    fc.assert(
      fc.property(reading, fc.nat(50), fc.nat(50), (load, more, slower) => {
        const share = repairShare(load, DEFAULT_YIELD_LIMITS);
        const { inFlight, readLatencyMs } = load;
        const busier = { inFlight: inFlight + more, readLatencyMs: readLatencyMs + slower };
        expect(share).toBeGreaterThanOrEqual(floorShare - 1e-9);
        expect(share).toBeLessThanOrEqual(1);
        expect(repairShare(busier, DEFAULT_YIELD_LIMITS)).toBeLessThanOrEqual(share);
      }),
    );
  });

  it('forgets slow reads when no others come', () => {
    let nowMs = 0;
    const clock = { monotonicMs: () => nowMs } as ConstructorParameters<typeof ClientLoad>[0];
    const load = new ClientLoad(clock);
    for (let read = 0; read < 100; read += 1) load.begin()(400);
    expect(load.reading.readLatencyMs).toBeGreaterThan(390);
    nowMs = 20_000;
    expect(load.reading.readLatencyMs).toBeLessThan(1);
    const end = load.begin();
    expect(load.reading.inFlight).toBe(1);
    end(null);
    expect(load.reading.inFlight).toBe(0);
  });
});
