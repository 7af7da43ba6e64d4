import { RANDOM_LIMIT_MAX, seededRandom, systemRandom } from '../src/random';

describe('the random of the operating system', () => {
  it('gives bytes of every size, and none of them twice', () => {
    const seen = new Set<string>();
    for (let round = 0; round < 2_000; round += 1) {
      const bytes = systemRandom.bytes(16);
      expect(bytes).toHaveLength(16);
      seen.add(bytes.toString('hex'));
    }
    expect(seen.size).toBe(2_000);
    for (const sizeBytes of [0, 1, 63, 64, 65, 4_095, 4_096, 4_097]) {
      expect(systemRandom.bytes(sizeBytes)).toHaveLength(sizeBytes);
    }
  });

  it('keeps nothing of what it gave out', () => {
    const first = systemRandom.bytes(32);
    const copy = Buffer.from(first);
    for (let round = 0; round < 500; round += 1) systemRandom.bytes(32);
    expect(first.equals(copy)).toBe(true);
  });
});

it.each([
  ['the operating system', systemRandom],
  ['a seed', seededRandom(1)],
])('draws below the same largest limit from %s', (_, random) => {
  expect(random.below(RANDOM_LIMIT_MAX)).toBeLessThan(RANDOM_LIMIT_MAX);
  expect(() => random.below(RANDOM_LIMIT_MAX + 1)).toThrow();
});
