import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import { containsName, namedChoices } from '../../scripts/named-choices';

const ROOT = join(__dirname, '../..');
const TIMEOUT_MS = 120_000;
const CHOICES = [{ name: 'put' }, { name: 'repair' }, { name: 'partial repair' }];

describe('what an option picks by name', () => {
  it('is all of it without the option, and what it says with it', () => {
    expect(namedChoices('story', undefined, CHOICES)).toBe(CHOICES);
    expect(namedChoices('story', 'repair', CHOICES)).toEqual([{ name: 'repair' }]);
    expect(namedChoices('story', 'repair', CHOICES, containsName)).toHaveLength(2);
  });

  it.each(['', 'Put', 'restripe'])('is never nothing: %j is refused with the choices', (text) => {
    expect(() => namedChoices('story', text, CHOICES)).toThrow(
      /--story ".*" picks none of these:\n {2}put\n {2}repair\n {2}partial repair\n/,
    );
  });
});

describe('a run of nothing is not a success', () => {
  it.each([
    ['scripts/fuzz.ts', '--target', 'policy'],
    ['scripts/mutants.ts', '--only', 'vote'],
    ['scripts/simulate-durability.ts', '--layout', '4+2'],
  ])(
    '%s %s',
    (script, option, known) => {
      const { status, stderr } = spawnSync(
        join(ROOT, 'node_modules/.bin/tsx'),
        ['--conditions=source', script, option, 'no-such-thing'],
        { cwd: ROOT, encoding: 'utf8', timeout: TIMEOUT_MS },
      );
      expect(stderr).toContain(`${option} "no-such-thing" picks none of these`);
      expect(stderr).toContain(known);
      expect(status).toBe(1);
    },
    TIMEOUT_MS,
  );
});
