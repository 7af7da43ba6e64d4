import { PAIRS, pairOf, rounds, SCENARIOS } from '../../src/game-day/scenarios';

describe('the scenarios of a game day', () => {
  const byName = new Map(SCENARIOS.map((scenario) => [scenario.name, scenario]));

  it('have names of their own, and pairs name scenarios', () => {
    expect(byName.size).toBe(SCENARIOS.length);
    for (const { first, second } of PAIRS) {
      expect(byName.has(first)).toBe(true);
      expect(byName.has(second)).toBe(true);
    }
  });

  it('are run once, or again under other names until enough operations are checked', () => {
    const [first, second] = SCENARIOS;
    if (first === undefined || second === undefined) throw new Error('no scenarios');
    const namesOf = (target: number | null, each: number, before: string[] = []): string[] => {
      const names = [...before];
      const progress = {
        checked: () => names.length * each,
        hasRun: (name: string) => names.includes(name),
      };
      for (const { name } of rounds([first, second], target, progress)) names.push(name);
      return names.slice(before.length);
    };
    const [a, b] = [first.name, second.name];
    expect(namesOf(null, 10)).toEqual([a, b]);
    // The first round is never cut short.
    expect(namesOf(5, 10)).toEqual([a, b]);
    expect(namesOf(45, 10)).toEqual([a, b, `${a} (2)`, `${b} (2)`, `${a} (3)`]);
    // Nothing comes of a cluster that is broken.
    expect(namesOf(5, 0)).toEqual([a, b]);
    // A run that was cut off goes on behind what it has, be it whole rounds.
    const whole = [a, b, `${a} (2)`, `${b} (2)`];
    expect(namesOf(50, 10, whole)).toEqual([`${a} (3)`]);
    expect(namesOf(40, 10, whole)).toEqual([]);
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
