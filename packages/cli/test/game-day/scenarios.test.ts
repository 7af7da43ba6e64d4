import { PAIRS, pairOf, SCENARIOS } from '../../src/game-day/scenarios';

describe('the scenarios of a game day', () => {
  const byName = new Map(SCENARIOS.map((scenario) => [scenario.name, scenario]));

  it('have names of their own, and pairs name scenarios', () => {
    expect(byName.size).toBe(SCENARIOS.length);
    for (const { first, second } of PAIRS) {
      expect(byName.has(first)).toBe(true);
      expect(byName.has(second)).toBe(true);
    }
  });

  it('P3: a pair that cannot keep service is given no limit, all others that of a zone loss', () => {
    for (const { first, second, keepsService } of PAIRS) {
      const [a, b] = [byName.get(first), byName.get(second)];
      if (a === undefined || b === undefined) throw new Error('no such scenario');
      const limit = keepsService ? { read: 5_000, write: 10_000 } : null;
      expect(pairOf(a, b, keepsService).outageMsMax).toEqual(limit);
    }
  });
});
