import { fuzz } from './fuzz';
import { FUZZ_TARGETS } from './targets';

const INPUTS = 1_000;
const SEED = 20_261_122;

describe('parsers of what strangers send (advisories 42 and 48)', () => {
  it.each(FUZZ_TARGETS.map((target) => [target.name, target] as const))(
    `%s survives ${INPUTS} inputs from seed ${SEED}`,
    async (_, target) => {
      const { accepted, refused, finding } = await fuzz(target, { seed: SEED, inputs: INPUTS });
      expect(finding).toBeNull();
      // A corpus that is all refused, or all accepted, reaches nothing behind the first check.
      expect(refused).toBeGreaterThan(0);
      if (target.name !== 'aws-chunked-signed') expect(accepted).toBeGreaterThan(0);
    },
  );

  it('reports the seed and the input of what fails', async () => {
    const broken = {
      name: 'broken',
      corpus: [Buffer.from('ab')],
      dictionary: [],
      run: (input: Buffer) => {
        if (input.length === 1) throw new TypeError('a bug');
      },
    };
    const { finding } = await fuzz(broken, { seed: 1, inputs: INPUTS });
    expect(finding?.input).toHaveLength(1);
    const again = await fuzz(broken, { seed: finding?.seed ?? 0, inputs: 1 });
    expect(again.finding?.input.equals(finding?.input ?? Buffer.alloc(0))).toBe(true);
  });
});
