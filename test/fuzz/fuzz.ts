import { seededRandom } from '@azimuth/common';

import { S3Error } from '../../packages/gateway/src/s3/s3-error';
import { mutate } from './mutator';
import type { FuzzTarget } from './targets';

/** An input that did what none may do. */
export interface Finding {
  readonly target: string;
  /** `npm run fuzz -- --target NAME --seed SEED --inputs 1` does it again. */
  readonly seed: number;
  readonly input: Buffer;
  readonly error: unknown;
}

export interface FuzzOutcome {
  readonly accepted: number;
  readonly refused: number;
  readonly finding: Finding | null;
}

/** Feeds a target `inputs` mutated inputs, one a seed, up to the first finding. */
export async function fuzz(
  target: FuzzTarget,
  { seed, inputs }: { readonly seed: number; readonly inputs: number },
): Promise<FuzzOutcome> {
  let accepted = 0;
  let refused = 0;
  for (let offset = 0; offset < inputs; offset += 1) {
    const input = mutate(target.corpus, target.dictionary, seededRandom(seed + offset));
    try {
      await target.run(input);
      accepted += 1;
    } catch (error) {
      if (!isRefusal(error)) {
        const finding = { target: target.name, seed: seed + offset, input, error };
        return { accepted, refused, finding };
      }
      refused += 1;
    }
  }
  return { accepted, refused, finding: null };
}

/** An error that tells the client what is wrong with the request, in words. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof S3Error)) return false;
  const isClients = error.status >= 400 && error.status < 500;
  return (isClients || error.code === 'NotImplemented') && error.message !== '';
}
