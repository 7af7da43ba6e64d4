/**
 * Encoding speed of the codec and of the `reed-solomon-erasure` WASM, side by side, on one core.
 * Bytes of data per second; interleaved A B A B, the median of the rounds. `npm run bench:codec`.
 */
import { createCodec } from '../../packages/erasure/src/index';
import { ReedSolomonOracle } from '../../packages/erasure/test/reed-solomon-oracle';

const PROFILES = [
  { k: 4, m: 2 },
  { k: 2, m: 2 },
  { k: 5, m: 4 },
  { k: 6, m: 3 },
  { k: 8, m: 4 },
  { k: 10, m: 4 },
];
const STRIPE_BYTES = 1024 * 1024;
const ROUNDS = 5;
const ROUND_MS = 60;

/** GB of data per second of `encode`, which handles `dataBytes` at each call. */
function measure(encode: () => void, dataBytes: number): number {
  const startMs = performance.now();
  let calls = 0;
  do {
    encode();
    calls += 1;
  } while (performance.now() - startMs < ROUND_MS);
  return (calls * dataBytes) / (performance.now() - startMs) / 1e6;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

const codec = createCodec({ arenaBytes: 4 * STRIPE_BYTES });
const oracle = new ReedSolomonOracle(4 * STRIPE_BYTES);

console.log('profile   azimuth GB/s   reed-solomon-erasure GB/s   ratio');
for (const profile of PROFILES) {
  const { k, m } = profile;
  const blockBytes = Math.floor(STRIPE_BYTES / k / 64) * 64;
  const offset = codec.arena.allocate((k + m) * blockBytes);
  if (offset === null) throw new Error('the arena is too small');
  const data = Uint8Array.from(
    { length: k * blockBytes },
    (_, index) => (index * 2654435761) >>> 24,
  );
  codec.memory.set(data, offset);
  oracle.bytes().set(data, oracle.shardsOffset);

  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const own = measure(() => {
      codec.encode(profile, offset, offset + k * blockBytes, blockBytes);
    }, k * blockBytes);
    const other = measure(() => oracle.encodeInPlace(k, m, blockBytes), k * blockBytes);
    // The first round warms the optimizing compiler.
    if (round === 0) continue;
    ours.push(own);
    theirs.push(other);
  }
  codec.arena.free(offset);
  const [own, other] = [median(ours), median(theirs)];
  console.log(
    `${k}+${m}`.padEnd(10) +
      own.toFixed(2).padStart(12) +
      other.toFixed(2).padStart(28) +
      `${(own / other).toFixed(1)}×`.padStart(8),
  );
}
